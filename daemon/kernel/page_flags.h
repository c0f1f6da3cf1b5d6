// SPDX-License-Identifier: Apache-2.0
// Which pages of a process are worth reading, by /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "daemon/kernel/memory_map.h"
#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

inline constexpr std::uint64_t kPageBytes = 4096;

class PageFlags {
 public:
  // kTargetGone, kTargetUnreadable.
  static Result<PageFlags> open(pid_t pid);

  // Addresses of the pages of the range that the process wrote: since the last forget_writes() where the kernel marks
  // that, else ever. kTargetGone: the process ended or runs another image.
  [[nodiscard]] Result<std::vector<std::uint64_t>> written(const MemoryRange& range) const;
  // No page counts as written until it is written again; nothing where the kernel does not mark writes.
  [[nodiscard]] Result<void> forget_writes() const;
  [[nodiscard]] bool marks_writes() const { return marks_writes_; }

 private:
  PageFlags(pid_t pid, UniqueFd pagemap, bool marks_writes)
      : pid_(pid), pagemap_(std::move(pagemap)), marks_writes_(marks_writes) {}
  pid_t pid_;
  UniqueFd pagemap_;
  bool marks_writes_;
};

}  // namespace raceguard::kernel
