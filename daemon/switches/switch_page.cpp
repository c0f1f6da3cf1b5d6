// SPDX-License-Identifier: Apache-2.0
#include "daemon/switches/switch_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

#include "raceguard/unique_fd.h"

namespace raceguard::switches {
namespace {

constexpr std::int64_t kLongestPeriodNs = 60'000'000'000;  // readers believe no longer one
constexpr mode_t kMode = 0644;                             // readers refuse a page that others can write

rg_u32 abi_state(breaker::State state) {
  switch (state) {
    case breaker::State::kClosed:
      return RG_SWITCH_CLOSED;
    case breaker::State::kOpen:
      return RG_SWITCH_OPEN;
    case breaker::State::kHalfOpen:
      return RG_SWITCH_HALF_OPEN;
  }
  return RG_SWITCH_CLOSED;
}

// Copies at most size - 1 bytes, and no half of a UTF-8 character.
template <std::size_t size>
void copy_text(char (&to)[size], const std::string& from) {
  std::size_t length = std::min(from.size(), size - 1);
  while (length > 0 && length < from.size() && (static_cast<unsigned char>(from[length]) & 0xc0U) == 0x80U) {
    --length;
  }
  std::copy_n(from.begin(), length, to);
}

// A word of a slot, whatever the slot keeps there.
using SlotWord = rg_u32 __attribute__((may_alias));

// A seqlock's write. Release stores: no word of the slot can be seen before the odd sequence number, and the even one
// not before every word (the reader's loads are acquires; Boehm, MSPC'12, on seqlocks without fences).
void write_slot(rg_page_slot& slot, const rg_page_slot& value) {
  constexpr std::size_t kWords = sizeof(rg_page_slot) / sizeof(SlotWord);
  const auto* words = reinterpret_cast<const SlotWord*>(&value);
  auto* target = reinterpret_cast<SlotWord*>(&slot);
  const rg_u32 sequence = __atomic_load_n(&slot.sequence, __ATOMIC_RELAXED);
  __atomic_store_n(&slot.sequence, sequence + 1, __ATOMIC_RELAXED);
  for (std::size_t i = offsetof(rg_page_slot, state) / sizeof(SlotWord); i < kWords; ++i) {
    __atomic_store_n(target + i, words[i], __ATOMIC_RELEASE);
  }
  __atomic_store_n(&slot.sequence, sequence + 2, __ATOMIC_RELEASE);
}

// A file under its temporary name, removed unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string pattern) : path_(std::move(pattern)), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (fd_ && !path_.empty()) {
      ::unlink(path_.c_str());
    }
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] bool rename_to(const std::filesystem::path& final_path) {
    if (::rename(path_.c_str(), final_path.c_str()) != 0) {
      return false;
    }
    path_.clear();
    return true;
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace

void SwitchPage::Unmap::operator()(rg_page* page) const { ::munmap(page, sizeof(rg_page)); }

Result<SwitchPage> SwitchPage::create(const std::filesystem::path& run_directory, std::int64_t heartbeat_period_ns,
                                      std::int64_t now_ns) {
  const std::filesystem::path path = run_directory / "switches";
  const auto failed = [&path](const char* what) {
    return fail_errno(ErrorCode::kSwitchPage, fmt::format("cannot make the switch page {}: {}", path.string(), what),
                      errno, "Check that the run directory exists, is writable and has 64 KiB left");
  };
  if (heartbeat_period_ns <= 0 || heartbeat_period_ns > kLongestPeriodNs) {
    return fail(ErrorCode::kSwitchPage,
                fmt::format("a heartbeat of {} ns is not within 1 ns and 60 s", heartbeat_period_ns));
  }
  TemporaryFile file(path.string() + ".XXXXXX");
  if (file.fd() < 0) {
    return failed("creating a temporary file beside it");
  }
  struct stat status {};
  // fallocate, not ftruncate: on a full file system a store into a hole would be a SIGBUS.
  if (const int error = ::posix_fallocate(file.fd(), 0, sizeof(rg_page)); error != 0) {
    errno = error;
    return failed("reserving its space");
  }
  if (::fchmod(file.fd(), kMode) != 0 || ::fstat(file.fd(), &status) != 0) {
    return failed("setting its mode");
  }
  void* memory = ::mmap(nullptr, sizeof(rg_page), PROT_READ | PROT_WRITE, MAP_SHARED, file.fd(), 0);
  if (memory == MAP_FAILED) {
    return failed("mapping it");
  }
  SwitchPage page(path, Mapping(static_cast<rg_page*>(memory)));
  page.page_->magic = RG_PAGE_MAGIC;
  page.page_->version = RG_PAGE_VERSION;
  page.page_->slot_count = RG_PAGE_SLOTS;
  page.page_->slot_bytes = sizeof(rg_page_slot);
  page.page_->heartbeat_period_ns = static_cast<rg_u64>(heartbeat_period_ns);
  page.heartbeat(now_ns);
  if (!file.rename_to(path)) {
    return failed("renaming it into place");
  }
  page.device_ = status.st_dev;
  page.inode_ = status.st_ino;
  return page;
}

SwitchPage& SwitchPage::operator=(SwitchPage&& other) noexcept {
  if (this != &other) {
    stop();
    path_ = std::move(other.path_);
    page_ = std::move(other.page_);
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

SwitchPage::~SwitchPage() { stop(); }

void SwitchPage::stop() {
  if (!page_) {
    return;
  }
  heartbeat(0);
  for (rg_page_slot& slot : page_->slots) {
    if (slot.name[0] == '\0') {
      break;
    }
    rg_page_slot closed = slot;
    closed.state = RG_SWITCH_CLOSED;
    closed.allow_permyriad = 10'000;
    std::memset(closed.reason, 0, sizeof(closed.reason));
    copy_text(closed.reason, "raceguardd has stopped");
    write_slot(slot, closed);
  }
  struct stat status {};
  if (inode_ != 0 && ::stat(path_.c_str(), &status) == 0 && status.st_ino == inode_ && status.st_dev == device_) {
    ::unlink(path_.c_str());
  }
  page_.reset();
}

rg_page_slot* SwitchPage::slot_of(const std::string& name) {
  const auto found = std::ranges::find_if(
      page_->slots, [&](const rg_page_slot& slot) { return slot.name[0] == '\0' || name == slot.name; });
  return found != std::end(page_->slots) ? found : nullptr;
}

Result<void> SwitchPage::write(const SwitchEntry& entry) {
  if (entry.name.empty() || entry.name.size() >= RG_SWITCH_NAME_LEN) {
    return fail(ErrorCode::kSwitchPage, fmt::format("switch name '{}' has {} bytes", entry.name, entry.name.size()),
                fmt::format("Names in {} have 1 to {}", path_.string(), RG_SWITCH_NAME_LEN - 1));
  }
  rg_page_slot* slot = slot_of(entry.name);
  if (slot == nullptr) {
    return fail(
        ErrorCode::kSwitchPage,
        fmt::format("no slot for switch '{}': all {} in {} are taken", entry.name, RG_PAGE_SLOTS, path_.string()),
        "Restart raceguardd: it then forgets switches that no policy has");
  }
  rg_page_slot value{};
  value.state = abi_state(entry.state);
  value.allow_permyriad = static_cast<rg_u32>(std::lround(std::clamp(entry.allow_share, 0.0, 1.0) * 10'000));
  value.generation = entry.generation;
  value.since_ns = static_cast<rg_u64>(entry.since_ns);
  copy_text(value.name, entry.name);
  copy_text(value.reason, entry.reason);
  write_slot(*slot, value);
  return {};
}

void SwitchPage::heartbeat(std::int64_t now_ns) {
  __atomic_store_n(&page_->heartbeat_ns, static_cast<rg_u64>(now_ns), __ATOMIC_RELEASE);
}

}  // namespace raceguard::switches
