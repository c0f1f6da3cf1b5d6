// SPDX-License-Identifier: Apache-2.0
// A real thread that waits in a futex, and its state as the BPF program would send it: taken by ptrace, without BPF.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/targets/target.h"
#include "raceguard/unique_fd.h"

namespace raceguard::events {

class BlockedThread {
 public:
  // Starts `program MODE` (tests/unit/events/programs/blocker.cpp) and waits until its thread sleeps in the kernel.
  // Throws std::runtime_error where that fails: a test cannot go on then.
  BlockedThread(const std::string& program, const std::string& mode);
  ~BlockedThread();  // ends the process
  BlockedThread(const BlockedThread&) = delete;
  BlockedThread& operator=(const BlockedThread&) = delete;

  // A record as in the ring, with at most `stack_limit` bytes of stack.
  [[nodiscard]] std::vector<std::byte> record(std::size_t stack_limit = 16384) const;
  [[nodiscard]] const std::vector<targets::MappedBinary>& mappings() const { return mappings_; }

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] pid_t tid() const { return tid_; }
  [[nodiscard]] std::uint64_t word() const { return word_; }
  // Run-time addresses of inner, middle, outer: innermost first.
  [[nodiscard]] const std::vector<std::uint64_t>& callers() const { return callers_; }

 private:
  void wait_until_blocked() const;

  pid_t pid_ = -1;
  pid_t tid_ = 0;
  std::uint64_t word_ = 0;
  std::vector<std::uint64_t> callers_;
  UniqueFd stdin_;
  UniqueFd stdout_;
  std::vector<targets::MappedBinary> mappings_;
};

[[nodiscard]] std::string blocker_program(const std::string& variant);

}  // namespace raceguard::events
