// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/page_flags.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include <fmt/format.h>

namespace raceguard::kernel {
namespace {

constexpr std::uint64_t kPresent = 1ULL << 63U;
constexpr std::uint64_t kOfFile = 1ULL << 61U;     // or shared anonymous; a page of .data that was never written is
constexpr std::uint64_t kSoftDirty = 1ULL << 55U;  // CONFIG_MEM_SOFT_DIRTY
constexpr std::size_t kEntriesAtOnce = 32768;

tl::unexpected<Error> target_error(std::string what, int error) {
  const bool denied = error == EACCES || error == EPERM;
  return fail_errno(denied ? ErrorCode::kTargetUnreadable : ErrorCode::kTargetGone, std::move(what), error,
                    denied ? "Give the service CAP_SYS_PTRACE" : "");
}

std::int64_t entry_offset(std::uint64_t address) {
  return static_cast<std::int64_t>(address / kPageBytes * sizeof(std::uint64_t));
}

// A page that this process has just written carries the mark, if the kernel has one at all.
bool kernel_marks_writes() {
  volatile std::uint64_t word = 0;
  word = 1;
  const UniqueFd own(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  std::uint64_t entry = 0;
  return own &&
         ::pread(own.get(), &entry, sizeof entry, entry_offset(std::bit_cast<std::uintptr_t>(&word))) == sizeof entry &&
         (entry & kSoftDirty) != 0;
}

}  // namespace

Result<PageFlags> PageFlags::open(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/pagemap", pid);
  UniqueFd pagemap(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap) {
    return target_error("cannot open " + path, errno);
  }
  return PageFlags(pid, std::move(pagemap), kernel_marks_writes());
}

Result<std::vector<std::uint64_t>> PageFlags::written(const MemoryRange& range) const {
  const std::uint64_t wanted = kPresent | (marks_writes_ ? kSoftDirty : 0);
  std::vector<std::uint64_t> pages;
  std::vector<std::uint64_t> entries;
  for (std::uint64_t at = range.start / kPageBytes * kPageBytes; at < range.end; at += entries.size() * kPageBytes) {
    entries.resize(std::min<std::uint64_t>(kEntriesAtOnce, (range.end - at + kPageBytes - 1) / kPageBytes));
    const ssize_t bytes =
        ::pread(pagemap_.get(), entries.data(), entries.size() * sizeof(std::uint64_t), entry_offset(at));
    if (bytes <= 0) {  // 0: the file belongs to an address space that is no more
      return target_error(fmt::format("cannot read /proc/{}/pagemap at {:#x}", pid_, at), bytes < 0 ? errno : ESRCH);
    }
    entries.resize(static_cast<std::size_t>(bytes) / sizeof(std::uint64_t));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if ((entries[i] & wanted) == wanted && (entries[i] & kOfFile) == 0) {
        pages.push_back(at + i * kPageBytes);
      }
    }
  }
  return pages;
}

Result<void> PageFlags::forget_writes() const {
  if (!marks_writes_) {
    return {};
  }
  const std::string path = fmt::format("/proc/{}/clear_refs", pid_);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || ::write(file.get(), "4", 1) != 1) {
    return target_error("cannot clear the marks of written pages in " + path, errno);
  }
  return {};
}

}  // namespace raceguard::kernel
