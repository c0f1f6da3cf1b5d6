// SPDX-License-Identifier: Apache-2.0
// Waits for locks that began before the contention watch saw the process: an operator starts the daemon because a
// service hangs. Such a wait has no start; that a thread is still in the same one is told by its context switches,
// which do not grow while it sleeps.
//
// What it costs: each thread of a new target is looked at once (two files of /proc, 40 us), kThreadsAtOnce of them at a
// time; those that were found to wait are looked at again while they do.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <utility>

#include "daemon/targets/thread_reader.h"

namespace raceguard::app {

struct EarlyWait {
  std::uint64_t address = 0;  // of the futex word
  std::uint64_t switches = 0;
};

class EarlyWaits {
 public:
  using Waits = std::unordered_map<std::uint64_t, EarlyWait>;  // by pid_tgid
  static constexpr std::size_t kThreadsAtOnce = 256;

  // `threads` must outlive this object.
  explicit EarlyWaits(const targets::ThreadReader& threads) : threads_(threads) {}

  void add_process(pid_t pid);
  void forget_process(pid_t pid);

  // Looks at threads that were not looked at yet.
  void search();
  // Looks again at those that wait, and forgets those that do no more.
  const Waits& look_again();

 private:
  [[nodiscard]] std::optional<EarlyWait> wait_of(pid_t pid, pid_t tid) const;

  const targets::ThreadReader& threads_;
  std::deque<std::pair<pid_t, pid_t>> unseen_;  // pid, tid
  Waits waits_;
};

}  // namespace raceguard::app
