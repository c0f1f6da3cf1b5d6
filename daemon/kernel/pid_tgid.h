// SPDX-License-Identifier: Apache-2.0
// A thread as BPF programs number it: bpf_get_current_pid_tgid(), the process in the upper half, the thread in the
// lower.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace raceguard::kernel {

constexpr std::uint64_t pid_tgid_of(pid_t pid, pid_t tid) {
  return static_cast<std::uint64_t>(pid) << 32U | static_cast<std::uint32_t>(tid);
}
constexpr pid_t pid_of(std::uint64_t pid_tgid) { return static_cast<pid_t>(pid_tgid >> 32U); }
constexpr pid_t tid_of(std::uint64_t pid_tgid) { return static_cast<pid_t>(pid_tgid & 0xffffffffU); }

}  // namespace raceguard::kernel
