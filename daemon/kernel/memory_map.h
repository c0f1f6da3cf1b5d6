// SPDX-License-Identifier: Apache-2.0
// Where a process keeps what its threads may share.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <iosfwd>
#include <vector>

#include "raceguard/error.h"

namespace raceguard::kernel {

struct MemoryRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

// Private writable mappings of /proc/PID/maps, without [stack] and the threads' stacks: an anonymous mapping right
// above a guard page of 4 KiB is one, for `stack_bytes` (RLIMIT_STACK, what glibc gives a thread); what the kernel
// merged behind it is not.
[[nodiscard]] std::vector<MemoryRange> shared_ranges(std::istream& maps, std::uint64_t stack_bytes);

// kTargetGone, kTargetUnreadable.
[[nodiscard]] Result<std::vector<MemoryRange>> shared_ranges(pid_t pid);

}  // namespace raceguard::kernel
