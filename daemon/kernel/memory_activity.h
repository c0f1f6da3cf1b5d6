// SPDX-License-Identifier: Apache-2.0
// Which words of a process change: two snapshots of its writable memory.
//
// Which pages are read. Tried 2026-11-23:
// - Pages that were ever written (present in /proc/PID/pagemap, and no page of a file): everywhere.
// - Of these, the ones written since the last step, by soft-dirty bits: where the kernel has CONFIG_MEM_SOFT_DIRTY
//   (Debian's 6.1 and later; not this project's own 6.18). Clearing the bits takes the target's mmap lock and makes its
//   next write to each page fault once.
// - PAGEMAP_SCAN (6.7) tells written pages only of memory that the process itself registered with userfaultfd for
//   asynchronous write protection (PM_SCAN_CHECK_WPASYNC answers EPERM otherwise), so not of a program that knows
//   nothing of us; without that it says "written" of every page. Not used.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/kernel/memory_map.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

struct ChangedWord {
  std::uint64_t address = 0;  // 8-byte aligned
  std::uint64_t before = 0;
  std::uint64_t after = 0;
};

struct ActivityOptions {
  std::uint64_t max_bytes = 64U << 20U;  // snapshots kept at once; what is beyond takes its turn later
  std::size_t max_words = 65536;         // answers
};

class MemoryActivity {
 public:
  // kTargetGone, kTargetUnreadable.
  static Result<MemoryActivity> open(pid_t pid, ActivityOptions options);
  MemoryActivity(MemoryActivity&&) noexcept;
  MemoryActivity& operator=(MemoryActivity&&) noexcept;
  ~MemoryActivity();

  // Takes the next snapshot of `ranges` (empty: all private writable mappings but the threads' stacks) and says which
  // words differ from the last one, by address; nothing at the first call. Error: the process is gone, runs another
  // image, or may not be read.
  [[nodiscard]] Result<std::vector<ChangedWord>> step(const std::vector<MemoryRange>& ranges);

  [[nodiscard]] std::uint64_t bytes_kept() const;
  [[nodiscard]] bool knows_written_pages() const;  // soft-dirty works here

 private:
  struct Impl;
  explicit MemoryActivity(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
