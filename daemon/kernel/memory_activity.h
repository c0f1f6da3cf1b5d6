// SPDX-License-Identifier: Apache-2.0
// Which words of a process change: two snapshots of its writable memory. Where the process wrote at all is asked of the
// kernel first (PAGEMAP_SCAN, 6.7; soft-dirty pages before), so that gigabytes that lie still are not read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "raceguard/error.h"

namespace raceguard::kernel {

struct MemoryRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

struct ChangedWord {
  std::uint64_t address = 0;  // 8-byte aligned
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

struct ActivityOptions {
  std::uint64_t max_bytes = 64U << 20U;  // snapshots kept at once; what is beyond is looked at next time
  std::size_t max_words = 65536;         // answers
};

class MemoryActivity {
 public:
  static Result<MemoryActivity> open(pid_t pid, ActivityOptions options);
  MemoryActivity(MemoryActivity&&) noexcept;
  MemoryActivity& operator=(MemoryActivity&&) noexcept;
  ~MemoryActivity();

  // Takes the next snapshot of `ranges` (empty: all private writable mappings but the threads' stacks) and says which
  // words differ from the last one; nothing at the first call. Error: the process is gone or may not be read.
  [[nodiscard]] Result<std::vector<ChangedWord>> step(const std::vector<MemoryRange>& ranges);

 private:
  struct Impl;
  explicit MemoryActivity(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
