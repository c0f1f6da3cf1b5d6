// SPDX-License-Identifier: Apache-2.0
// The processes that the policies select, kept up to date by a scan and by the kernel's process events.
//
// A process that several guards match belongs to the first in the policy's order. A child belongs to its parent's guard
// from the fork on, until it execs and is judged by itself. The daemon calls scan() at start and now and then (lost
// events, changed names, dlopen), on_*() per event, settle() each tick.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/policy.h"
#include "daemon/targets/process_reader.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::targets {

struct TargetChanges {
  std::vector<Target> added;
  std::vector<ProcessId> removed;
  std::vector<Target> changed;  // same process; other guard, comm, exe or mappings
  [[nodiscard]] bool empty() const { return added.empty() && removed.empty() && changed.empty(); }
  void append(TargetChanges&& later);
};

// How much work the events made; all since construction.
struct TargetWork {
  std::uint64_t events = 0;
  std::uint64_t filtered = 0;    // decided without reading /proc
  std::uint64_t facts_read = 0;  // some five short files each
  std::uint64_t maps_read = 0;   // and the mappings, each file's identity
  std::uint64_t gone = 0;        // ended while being read
};

class TargetSet {
 public:
  // `own_pid` (the daemon's) is never a target.
  TargetSet(std::vector<policy::Guard> guards, ProcessReader reader, pid_t own_pid);

  // Another policy: what of the old targets stays is told as changed, or not at all if nothing about it changed.
  // Fails only if /proc cannot be listed; guards and set are then unchanged.
  Result<TargetChanges> set_guards(std::vector<policy::Guard> guards);

  // Reads all of /proc. Fails only if it cannot be listed; the set is then unchanged.
  Result<TargetChanges> scan();

  TargetChanges on_fork(pid_t parent_pid, pid_t pid);
  TargetChanges on_exec(pid_t pid, uid_t uid, std::string_view comm);
  TargetChanges on_exit(pid_t pid);

  // Reads again the mappings of targets that exec'ed lately: ld.so maps shared libraries after the exec. A target
  // settles after kStableReads equal readings, or kMaxSettleReads in all.
  TargetChanges settle();
  [[nodiscard]] bool has_unsettled() const;

  [[nodiscard]] std::vector<Target> list() const;  // by pid
  [[nodiscard]] const Target* find(pid_t pid) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const TargetWork& work() const { return work_; }
  // Processes that could not be inspected since the last scan (missing rights); the first kMaxUnreadable.
  [[nodiscard]] const std::vector<Error>& unreadable() const { return unreadable_; }

  static constexpr unsigned kStableReads = 3;
  static constexpr unsigned kMaxSettleReads = 20;
  static constexpr std::size_t kMaxUnreadable = 64;

 private:
  struct Entry {
    Target target;
    bool inherited = false;  // by fork, and has not exec'ed since
    unsigned settle_reads_left = kMaxSettleReads;
    unsigned equal_reads = 0;
  };

  [[nodiscard]] std::optional<std::size_t> first_match(const ProcessFacts& facts) const;
  [[nodiscard]] std::optional<std::size_t> judge(const ProcessFacts& facts, const Entry* known) const;
  [[nodiscard]] TargetChanges take_in(const std::vector<pid_t>& pids);
  // Brings the entry of one pid in line with what the process is now.
  void refresh(pid_t pid, bool after_exec, TargetChanges& changes);
  void store(const ProcessFacts& facts, std::size_t guard_index, bool after_exec, TargetChanges& changes);
  void remove(pid_t pid, TargetChanges& changes);
  void note_error(const Error& error);
  [[nodiscard]] Target make_target(const ProcessFacts& facts, std::size_t guard_index) const;

  std::vector<policy::Guard> guards_;
  ProcessReader reader_;
  pid_t own_pid_;
  std::map<pid_t, Entry> entries_;
  std::vector<Error> unreadable_;
  TargetWork work_;
};

}  // namespace raceguard::targets
