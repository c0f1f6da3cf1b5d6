// SPDX-License-Identifier: Apache-2.0
// From the numbers that a process knows its threads by to the kernel's. They differ in a pid namespace (a container).
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "daemon/targets/thread_reader.h"

namespace raceguard::app {

class ThreadNumbers {
 public:
  // `threads` must outlive this object.
  explicit ThreadNumbers(const targets::ThreadReader& threads) : threads_(threads) {}

  // The thread of `pid` that calls itself `own_tid`; 0: it has none, or one that has ended. Empty: it cannot be told.
  [[nodiscard]] std::optional<pid_t> find(pid_t pid, pid_t own_tid);

  // Before each reading: answers hold for one. All threads of a process in a namespace are listed (25 us each) once a
  // reading at most, when a number is asked for that was not there before.
  void begin_reading() {
    listed_.clear();
    lives_.clear();
  }
  // Forgets all processes but these.
  void keep(const std::set<pid_t>& pids);

 private:
  struct Process {
    bool shares_numbers = false;
    std::map<pid_t, pid_t> kernel_tids;  // by the process's own
  };
  [[nodiscard]] Process* process(pid_t pid);
  [[nodiscard]] bool list(pid_t pid, Process& process);
  [[nodiscard]] std::optional<bool> lives(pid_t pid, pid_t tid);

  const targets::ThreadReader& threads_;
  std::map<pid_t, Process> processes_;
  std::set<pid_t> listed_;
  std::map<std::pair<pid_t, pid_t>, std::optional<bool>> lives_;  // by pid and the kernel's number
};

}  // namespace raceguard::app
