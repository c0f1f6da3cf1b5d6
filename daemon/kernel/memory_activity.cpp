// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/memory_activity.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <span>

#include <fmt/format.h>

#include "daemon/kernel/page_flags.h"

namespace raceguard::kernel {
namespace {

constexpr std::size_t kPagesAtOnce = 256;  // of one process_vm_readv (IOV_MAX is 1024)
constexpr unsigned kQuietSteps = 4;        // a page that did not change for so long makes room for another

using Words = std::array<std::uint64_t, kPageBytes / sizeof(std::uint64_t)>;

struct Snapshot {
  std::unique_ptr<Words> words;
  unsigned quiet = 0;
};

}  // namespace

struct MemoryActivity::Impl {
  Impl(pid_t of, ActivityOptions with, PageFlags pages) : pid(of), options(with), flags(std::move(pages)) {}

  pid_t pid;
  ActivityOptions options;
  PageFlags flags;
  std::map<std::uint64_t, Snapshot> snapshots;  // by address of the page
  std::uint64_t cursor = 0;                     // the last page that was taken in
  std::vector<ChangedWord> changed;

  [[nodiscard]] std::size_t capacity() const { return std::max<std::uint64_t>(options.max_bytes / kPageBytes, 1); }
  [[nodiscard]] std::vector<std::uint64_t> newcomers(const std::vector<std::uint64_t>& written) const;
  void make_room(std::size_t wanted);
  [[nodiscard]] Result<void> look_at(const std::vector<std::uint64_t>& pages);
  void compare(std::uint64_t page, const Words& now);
  void report(std::uint64_t page, const Words& before, const Words& now);
};

void MemoryActivity::Impl::report(std::uint64_t page, const Words& before, const Words& now) {
  for (std::size_t i = 0; i < now.size() && changed.size() < options.max_words; ++i) {
    if (before[i] != now[i]) {
      changed.push_back({page + i * sizeof(std::uint64_t), before[i], now[i]});
    }
  }
}

void MemoryActivity::Impl::compare(std::uint64_t page, const Words& now) {
  Snapshot& snapshot = snapshots[page];
  if (!snapshot.words) {
    snapshot.words = std::make_unique<Words>(now);
  } else if (*snapshot.words != now) {
    report(page, *snapshot.words, now);
    *snapshot.words = now;
    snapshot.quiet = 0;
  }
}

// A page that went meanwhile ends one read; the pages behind it are asked for by the next.
Result<void> MemoryActivity::Impl::look_at(const std::vector<std::uint64_t>& pages) {
  std::vector<Words> buffer(std::min(kPagesAtOnce, pages.size()));
  std::array<iovec, kPagesAtOnce> from{};
  for (std::size_t begin = 0; begin < pages.size();) {
    const std::size_t count = std::min(kPagesAtOnce, pages.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      from.at(i) = {reinterpret_cast<void*>(pages[begin + i]), kPageBytes};
    }
    iovec to{buffer.data(), count * kPageBytes};
    const ssize_t bytes = ::process_vm_readv(pid, &to, 1, from.data(), count, 0);
    if (bytes < 0 && errno != EFAULT) {
      const int error = errno;
      return fail_errno(error == EPERM ? ErrorCode::kTargetUnreadable : ErrorCode::kTargetGone,
                        fmt::format("cannot read the memory of process {}", pid), error,
                        error == EPERM ? "Give the service CAP_SYS_PTRACE" : "");
    }
    const std::size_t read = bytes < 0 ? 0 : static_cast<std::size_t>(bytes) / kPageBytes;
    for (std::size_t i = 0; i < read; ++i) {
      compare(pages[begin + i], buffer[i]);
    }
    if (read < count) {
      snapshots.erase(pages[begin + read]);
    }
    begin += read < count ? read + 1 : read;
  }
  return {};
}

// The written pages that have no snapshot, in turn: from behind the last one that was taken in.
std::vector<std::uint64_t> MemoryActivity::Impl::newcomers(const std::vector<std::uint64_t>& written) const {
  std::vector<std::uint64_t> pages;
  const auto first = std::upper_bound(written.begin(), written.end(), cursor);
  const auto take = [&](auto from, auto to) {
    std::copy_if(from, to, std::back_inserter(pages), [this](std::uint64_t page) { return !snapshots.contains(page); });
  };
  take(first, written.end());
  take(written.begin(), first);
  return pages;
}

void MemoryActivity::Impl::make_room(std::size_t wanted) {
  for (auto page = snapshots.begin(); page != snapshots.end() && snapshots.size() + wanted > capacity();) {
    page = page->second.quiet >= kQuietSteps ? snapshots.erase(page) : std::next(page);
  }
}

MemoryActivity::MemoryActivity(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
MemoryActivity::MemoryActivity(MemoryActivity&&) noexcept = default;
MemoryActivity& MemoryActivity::operator=(MemoryActivity&&) noexcept = default;
MemoryActivity::~MemoryActivity() = default;

Result<MemoryActivity> MemoryActivity::open(pid_t pid, ActivityOptions options) {
  auto flags = PageFlags::open(pid);
  if (!flags) {
    return fail(std::move(flags).error());
  }
  return MemoryActivity(std::make_unique<Impl>(pid, options, std::move(*flags)));
}

Result<std::vector<ChangedWord>> MemoryActivity::step(const std::vector<MemoryRange>& ranges) {
  auto looked_at = ranges.empty() ? shared_ranges(impl_->pid) : Result<std::vector<MemoryRange>>(ranges);
  if (!looked_at) {
    return fail(std::move(looked_at).error());
  }
  std::vector<std::uint64_t> written;
  for (const MemoryRange& range : *looked_at) {
    const auto pages = impl_->flags.written(range);
    if (!pages) {
      return fail(pages.error());
    }
    written.insert(written.end(), pages->begin(), pages->end());
  }
  std::sort(written.begin(), written.end());
  if (auto forgotten = impl_->flags.forget_writes(); !forgotten) {
    return fail(std::move(forgotten).error());
  }
  for (auto& [page, snapshot] : impl_->snapshots) {
    ++snapshot.quiet;
  }
  std::vector<std::uint64_t> added = impl_->newcomers(written);
  impl_->make_room(added.size());
  const std::size_t room = impl_->capacity() - std::min(impl_->capacity(), impl_->snapshots.size());
  added.resize(std::min(added.size(), room));
  impl_->cursor = added.empty() ? impl_->cursor : added.back();
  std::vector<std::uint64_t> pages;
  std::copy_if(written.begin(), written.end(), std::back_inserter(pages),
               [this](std::uint64_t page) { return impl_->snapshots.contains(page); });
  pages.insert(pages.end(), added.begin(), added.end());
  std::sort(pages.begin(), pages.end());
  impl_->changed.clear();
  if (auto done = impl_->look_at(pages); !done) {
    return fail(std::move(done).error());
  }
  return std::move(impl_->changed);
}

std::uint64_t MemoryActivity::bytes_kept() const { return impl_->snapshots.size() * kPageBytes; }
bool MemoryActivity::knows_written_pages() const { return impl_->flags.marks_writes(); }

}  // namespace raceguard::kernel
