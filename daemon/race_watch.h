// SPDX-License-Identifier: Apache-2.0
// The search for data races in one process: which address next, the watchpoints, the judgement, and what it may cost.
// Driven by step(), as often as pause_ns() says.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/address_sampler.h"
#include "daemon/detect/race_cost.h"
#include "daemon/detect/race_judge.h"
#include "daemon/events/access_decoder.h"
#include "daemon/events/names.h"
#include "daemon/kernel/calibrate.h"
#include "daemon/kernel/memory_activity.h"
#include "daemon/kernel/watcher.h"
#include "daemon/plan/armed_time.h"
#include "daemon/plan/watch_rotation.h"
#include "daemon/race_objects.h"
#include "daemon/race_subjects.h"
#include "daemon/symbols/resolver.h"
#include "daemon/targets/process_reader.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::app {

struct RaceWatchOptions {
  pid_t pid = 0;
  std::int64_t hold_ns = 50'000;                       // the longest hold of a thread, at most kernel::kLongestHoldNs
  double budget = 0.01;                                // of one CPU: hits at their cost, and holds
  kernel::WatchpointCost cost = {};                    // calibrated
  bool automatic = true;                               // look for addresses too, as these say
  bool globals = true;                                 // all that are known
  bool changes = true;                                 // words that change between two snapshots
  bool samples = true;                                 // what running code touches
  std::vector<std::string> variables;                  // by name; looked at first
  std::map<std::string, std::string> guarded_by = {};  // the lock of a variable, both by name
  bool missing_is_noted = false;  // a variable that no binary has (yet) is a note, and looked for again
};

struct WantedVariable {
  std::string name;  // as findings name it
  std::uint64_t address = 0;
  friend auto operator<=>(const WantedVariable&, const WantedVariable&) = default;
};

// The address registers, which all searches of this machine share: one of them has the registers at a time.
struct WatchRegisters {
  kernel::Watcher watcher;
  std::uint64_t next_generation = 1;
};

class RaceWatch {
 public:
  // `registers` must outlive it. kTargetGone, kTargetUnreadable, kSymbolNotFound (a variable by name).
  static Result<std::unique_ptr<RaceWatch>> open(const RaceWatchOptions& options, WatchRegisters& registers,
                                                 const Clock& clock);
  RaceWatch(const RaceWatch&) = delete;
  RaceWatch& operator=(const RaceWatch&) = delete;
  ~RaceWatch();

  // kTargetGone: the process ended; what was found stays.
  [[nodiscard]] Result<void> step();

  // How long the caller may sleep before the next step(). Not shorter than need be: where all CPUs are busy, whoever
  // wakes up takes one from a thread of the target, which may hold a lock just then.
  [[nodiscard]] std::int64_t pause_ns() const;

  // Gives the registers back; the next step() takes them again.
  [[nodiscard]] Result<void> pause();

  // A lock that the contention watch saw: what guards a variable, and a sign of shared words beside it.
  void add_lock(detect::CandidateLock lock);
  // An object that a guarded function was called with.
  void see(const SeenObject& object);

  // Variables of races that are kept apart: they are looked at each second, so that it is seen whether that helps.
  void want(std::vector<WantedVariable> variables);

  [[nodiscard]] std::vector<detect::RaceFinding> findings() const;
  [[nodiscard]] const detect::RaceJudgeCounters& judged() const { return judge_.counters(); }
  [[nodiscard]] plan::RotationCoverage coverage() const { return rotation_.coverage(); }
  [[nodiscard]] detect::RaceCost cost() const;
  [[nodiscard]] detect::SamplerFigures sampled() const;
  // What a reader of the findings must know: too few registers, one CPU, no types.
  [[nodiscard]] std::vector<std::string> notes() const;
  [[nodiscard]] Result<std::vector<std::uint64_t>> drops() const { return registers_.watcher.read_drops(); }
  [[nodiscard]] const std::vector<targets::MappedBinary>& binaries() const { return mappings_.binaries; }
  [[nodiscard]] const targets::ProcessId& process() const { return id_; }

 private:
  struct Mappings final : events::MappingSource {
    std::vector<targets::MappedBinary> binaries;
    [[nodiscard]] std::span<const targets::MappedBinary> mappings(pid_t) override { return binaries; }
    bool refresh(pid_t) override { return false; }  // follow_process() does
  };
  struct Slot {
    std::optional<plan::WatchCandidate> candidate;
    std::uint64_t generation = 0;
    std::int64_t since_ns = 0;
    std::int64_t armed_ns = 0;  // the candidate's time under watch so far
    std::int64_t looked_ns = 0;
    rg_watch_figures at_arm{};
    rg_watch_figures last{};
    plan::WatchOutcome outcome;
    bool is_code = false;  // an instruction's turn (race_watch_code.cpp); no candidate
    bool is_wanted = false;
  };

  RaceWatch(const RaceWatchOptions& options, WatchRegisters& registers, const Clock& clock, targets::ProcessId id);
  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<void> follow_process();
  [[nodiscard]] Result<void> drain();
  void charge(Slot& slot, const rg_watch_figures& now);
  [[nodiscard]] Result<void> step_slot(unsigned index, std::int64_t now_ns);
  void note(Slot& slot, const std::vector<kernel::AccessSiteReading>& sites) const;
  [[nodiscard]] Result<void> look(Slot& slot, std::int64_t now_ns);
  [[nodiscard]] Result<void> arm(unsigned index, std::int64_t now_ns);
  [[nodiscard]] Result<void> give_back(unsigned index, std::int64_t now_ns);
  void follow_time(std::int64_t now_ns);
  [[nodiscard]] Result<void> rest();
  [[nodiscard]] Result<void> spend(std::int64_t now_ns);
  void look_for_changes(std::int64_t now_ns);
  [[nodiscard]] Result<void> forget_objects(std::int64_t now_ns);
  [[nodiscard]] Result<void> take_registers();
  [[nodiscard]] Result<void> look_for_names(std::int64_t now_ns);
  [[nodiscard]] Result<void> step_sampling(std::int64_t now_ns);
  [[nodiscard]] Result<void> stop_sampling();
  [[nodiscard]] unsigned least_hz() const;
  [[nodiscard]] Result<void> adapt_rate(std::int64_t now_ns);
  [[nodiscard]] bool is_for_code(unsigned index) const;
  [[nodiscard]] bool code_has_turn(unsigned index) const;
  [[nodiscard]] Result<void> arm_code(unsigned index, std::uint64_t instruction, std::int64_t now_ns);
  [[nodiscard]] Result<void> step_code(unsigned index, std::int64_t now_ns);
  [[nodiscard]] Result<void> end_code(unsigned index);
  [[nodiscard]] detect::AccessFacts facts(const events::AccessEvent& event) const;
  [[nodiscard]] detect::RaceJudgeOptions judge_options();

  RaceWatchOptions options_;
  const Clock& clock_;
  WatchRegisters& registers_;
  targets::ProcessId id_;
  UniqueFd pidfd_;
  Mappings mappings_;
  symbols::Resolver resolver_;
  events::ResolverSymboliser symboliser_;
  events::AccessDecoder decoder_;
  RaceSubjects subjects_;
  RaceObjects objects_;
  plan::WatchRotation rotation_;
  detect::RaceJudge judge_;
  std::optional<kernel::MemoryActivity> activity_;
  std::string activity_note_;
  std::vector<std::string> unfound_;  // of the options' variables
  std::vector<std::string> unfound_notes_;
  std::vector<std::string> lock_notes_;
  std::optional<AddressSampler> sampler_;
  std::string sampler_note_;
  bool sampling_ = false;
  std::uint64_t samples_seen_ = 0;  // of the machine's watcher
  unsigned sampling_hz_ = 0;
  std::int64_t rated_ns_ = 0;
  std::uint64_t samples_rated_ = 0;

  std::vector<WantedVariable> wanted_;
  std::vector<Slot> slots_;
  std::int64_t started_ns_ = 0;
  std::int64_t refilled_ns_ = 0;
  std::int64_t next_follow_ns_ = 0;
  std::int64_t next_activity_ns_ = 0;
  std::int64_t next_forget_ns_ = 0;
  plan::ArmedTime armed_time_;
  bool may_arm_ = false;  // watchpoints on data
  bool resting_ = true;   // those that have an address are off
  std::int64_t stepped_ns_ = 0;
  double tokens_ns_ = 0;
  std::int64_t cpu_at_start_ns_ = 0;
  detect::RaceCost cost_;
};

}  // namespace raceguard::app
