// SPDX-License-Identifier: Apache-2.0
// Looks once a second for threads that wait for each other, in what the contention watch knows of waits in progress.
//
// What it costs: one batched read of the map of waits; and for each lock that somebody waited for already at the last
// reading one read of 60 bytes of the target's memory and, if it has an owner, of one file of /proc. Nothing in the
// kernel's programs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/detect/deadlock.h"
#include "daemon/detect/deadlock_finding.h"
#include "daemon/detect/lock_table.h"
#include "daemon/early_waits.h"
#include "daemon/events/stack_maker.h"
#include "daemon/kernel/attachment.h"
#include "daemon/targets/target_set.h"
#include "daemon/targets/thread_reader.h"
#include "daemon/thread_numbers.h"
#include "raceguard/error.h"

namespace raceguard::app {

class DeadlockWatch {
 public:
  struct Sources {
    const targets::TargetSet& targets;
    events::StackMaker& stacks;
    // By the lock, and by the futex word in it that is waited on.
    std::function<std::string(const detect::LockId& lock, const detect::LockId& word)> lock_name;
  };
  // What the sources refer to must outlive this object.
  explicit DeadlockWatch(Sources sources, std::string proc_root = "/proc");
  DeadlockWatch(const DeadlockWatch&) = delete;
  DeadlockWatch& operator=(const DeadlockWatch&) = delete;

  // A process that is watched from now on: its threads may wait already.
  void add_process(pid_t pid) { early_.add_process(pid); }
  void forget_process(pid_t pid) { early_.forget_process(pid); }

  // The deadlocks that stand; nothing where less than a second has gone by since the last reading.
  [[nodiscard]] Result<std::vector<detect::Finding>> look(const kernel::Attachment& attachment, std::int64_t now_ns,
                                                          std::int64_t realtime_ns);

 private:
  struct Moment {
    std::int64_t now_ns = 0;
    std::int64_t realtime_ns = 0;
  };
  struct Wait {
    std::uint64_t address = 0;   // of the futex word
    std::uint64_t start_ns = 0;  // 0: before the process was watched
    std::uint64_t switches = 0;  // of the thread, if so
    friend bool operator==(const Wait&, const Wait&) = default;
  };
  using Waits = std::unordered_map<std::uint64_t, Wait>;  // by pid_tgid; those in progress, for locks

  [[nodiscard]] Result<Waits> read_waits(const kernel::Attachment& attachment);
  // Threads that wait for the same word as at the last reading, for a lock that says who holds it.
  [[nodiscard]] std::vector<detect::BlockedThread> blocked_threads(const Waits& waits);
  [[nodiscard]] std::optional<detect::BlockedThread> owned_lock(const detect::LockId& id);  // without its waiter
  // Those of which all is still as it was: see detect/deadlock.h.
  [[nodiscard]] Result<std::vector<detect::Knot>> that_hold(const kernel::Attachment& attachment,
                                                            std::vector<detect::Knot> knots);
  [[nodiscard]] bool waits_without_limit(const detect::BlockedThread& thread) const;
  [[nodiscard]] bool has_its_owner(const detect::BlockedThread& thread);
  [[nodiscard]] detect::Finding finding_of(const detect::Knot& knot, const Moment& moment);
  [[nodiscard]] detect::DeadlockedThread thread_of(const detect::BlockedThread& blocked,
                                                   const detect::Deadlock& deadlock, const Moment& moment);
  [[nodiscard]] std::string lock_name(const detect::BlockedThread& blocked) const;

  Sources sources_;
  targets::ThreadReader threads_;
  ThreadNumbers numbers_;
  EarlyWaits early_;
  detect::KnotJudge judge_;
  Waits before_;
  std::vector<std::pair<detect::Knot, detect::Finding>> standing_;  // as the last reading told them
  std::int64_t next_ns_ = 0;
};

}  // namespace raceguard::app
