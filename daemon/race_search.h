// SPDX-License-Identifier: Apache-2.0
// The search for data races in all processes that the policies watch: one RaceWatch each, which take turns with the
// address registers. Driven by step(), every few milliseconds, from one thread (race_thread.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/detect/race_cost.h"
#include "daemon/kernel/calibrate.h"
#include "daemon/policy/policy.h"
#include "daemon/race_watch.h"
#include "daemon/targets/target.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// What is to be searched, by the policies and the processes that run.
struct SearchWork {
  std::map<std::string, policy::WatchGuard> guards;     // those that watch something
  std::map<targets::ProcessId, std::string> processes;  // with the guard of each
  std::map<targets::ProcessId, std::vector<WantedVariable>> wanted;
};

struct SeenLock {
  pid_t pid = 0;
  detect::CandidateLock lock;
};

// What the search of one process found so far.
struct ProcessFindings {
  std::string guard;
  std::uint64_t serial = 0;  // of the search: another one of the same process counts from nothing
  std::vector<detect::RaceFinding> findings;
};

struct GuardSearch {
  std::uint64_t processes = 0;
  plan::RotationCoverage coverage;  // of its processes together
  std::vector<std::string> notes;
};

// By enum rg_drop_reason.
void add_drops(std::vector<std::uint64_t>& to, const std::vector<std::uint64_t>& more);

// How it stands; sums are since the start.
struct SearchState {
  std::string trouble;  // why nothing can be watched; empty: it can, or nothing has to be
  unsigned registers = 0;
  std::uint64_t hits = 0;
  std::uint64_t holds = 0;
  std::uint64_t samples = 0;
  std::int64_t hold_ns = 0;
  std::int64_t armed_ns = 0;
  std::vector<std::uint64_t> drops;  // by enum rg_drop_reason
  std::map<std::string, GuardSearch> guards;
};

class RaceSearch {
 public:
  // `clock` must outlive it.
  explicit RaceSearch(const Clock& clock) : clock_(clock) {}
  RaceSearch(const RaceSearch&) = delete;
  RaceSearch& operator=(const RaceSearch&) = delete;

  // Processes whose guard is searched as before keep what was learned; the others begin anew, or end.
  void set_work(SearchWork work);
  void add_locks(const std::vector<SeenLock>& locks);
  void add_objects(const std::vector<SeenObject>& objects);

  // Registers are taken when the first process is there, and given back when the last one is gone.
  void step();
  // How long the caller may sleep before the next step().
  [[nodiscard]] std::int64_t pause_ns() const;
  // Nothing to search: step() need not be called before set_work().
  [[nodiscard]] bool idle() const { return entries_.empty() && !registers_; }

  // Of the processes that were searched since it was asked last.
  [[nodiscard]] std::map<targets::ProcessId, ProcessFindings> take_findings();
  [[nodiscard]] SearchState state() const;

 private:
  struct Entry {
    std::string guard;
    std::unique_ptr<RaceWatch> watch;  // null: not begun, or closed to make room
    std::uint64_t serial = 0;
    std::int64_t not_before_ns = 0;
    std::int64_t last_turn_ns = 0;
    std::uint64_t races_told = 0;
    std::int64_t told_ns = 0;
    std::string failure;  // why it is not searched at the moment
  };
  using Entries = std::map<targets::ProcessId, Entry>;

  [[nodiscard]] RaceWatch* watch_of(pid_t pid);
  void take_registers(std::int64_t now_ns);
  void give_registers_back();
  [[nodiscard]] std::int64_t turn_ns() const;
  [[nodiscard]] Entries::iterator next_entry(std::int64_t now_ns);
  void begin_turn(std::int64_t now_ns);
  void end_turn(std::int64_t now_ns);
  void want(const targets::ProcessId& process, Entry& entry) const;
  [[nodiscard]] Result<void> open(const targets::ProcessId& process, Entry& entry);
  void close(const targets::ProcessId& process, Entry& entry);
  void close_least_recent();
  // The search of the process cannot go on: it ended, or its watchpoints cannot be set.
  void give_up(const targets::ProcessId& process, const Error& error, std::int64_t now_ns);
  void gather(const targets::ProcessId& process, const Entry& entry);
  void add_cost(SearchState& to, const Entry& entry) const;

  const Clock& clock_;
  SearchWork work_;
  std::unique_ptr<WatchRegisters> registers_;  // before the watches that use them
  Entries entries_;
  std::optional<targets::ProcessId> current_;
  std::int64_t turn_began_ns_ = 0;
  std::int64_t next_try_ns_ = 0;  // of the registers
  std::uint64_t next_serial_ = 1;
  std::optional<kernel::WatchpointCost> cost_;  // calibrated at first need
  std::map<targets::ProcessId, ProcessFindings> found_;
  SearchState past_;  // sums of searches that are over, and trouble
};

}  // namespace raceguard::app
