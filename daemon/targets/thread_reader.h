// SPDX-License-Identifier: Apache-2.0
// Single threads of a process, from a proc file system. Any of them may end at any moment: that is kTargetGone.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/targets/process_text.h"
#include "raceguard/error.h"

namespace raceguard::targets {

// A system call that a thread sleeps in: /proc/PID/task/TID/syscall, fs/proc/base.c (proc_pid_syscall).
struct BlockedCall {
  std::uint64_t number = 0;
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t stack_pointer = 0;
  std::uint64_t instruction = 0;  // behind the call
};

// Empty: the thread runs, or sleeps outside of a system call.
[[nodiscard]] std::optional<BlockedCall> parse_blocked_call(std::string_view text);
// The thread's number in its own, the innermost, pid namespace: what gettid() tells it. From /proc/PID/task/TID/status.
[[nodiscard]] std::optional<pid_t> parse_own_tid(std::string_view text);
// How often the thread was taken off a CPU, by itself or by others. From the same file.
[[nodiscard]] std::optional<std::uint64_t> parse_switches(std::string_view text);

class ThreadReader {
 public:
  explicit ThreadReader(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  [[nodiscard]] Result<std::vector<pid_t>> list(pid_t pid) const;
  [[nodiscard]] Result<StatText> stat(pid_t pid, pid_t tid) const;
  [[nodiscard]] Result<std::optional<BlockedCall>> blocked_call(pid_t pid, pid_t tid) const;
  [[nodiscard]] Result<pid_t> own_tid(pid_t pid, pid_t tid) const;
  [[nodiscard]] Result<std::uint64_t> switches(pid_t pid, pid_t tid) const;
  // Whether the process runs in the pid namespace of the reader: then both number its threads alike.
  [[nodiscard]] Result<bool> shares_numbers(pid_t pid) const;

 private:
  [[nodiscard]] std::string folder(pid_t pid, pid_t tid) const;

  std::string proc_root_;
};

}  // namespace raceguard::targets
