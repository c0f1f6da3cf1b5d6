// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/symbol_source.h"

#include <sys/stat.h>

#include <cerrno>

#include "daemon/plan/symbol_facts.h"

namespace raceguard::plan {
namespace {

std::int64_t to_ns(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

}  // namespace

SymbolSource::SymbolSource(const symbols::KernelTreatment& kernel) : kernel_(kernel) {}
SymbolSource::~SymbolSource() = default;

Result<std::shared_ptr<BinaryFacts>> SymbolSource::open(const targets::MappedBinary& binary, const std::string& root) {
  struct stat status {};
  if (::stat(binary.host_path.c_str(), &status) != 0) {
    const ErrorCode code = errno == ENOENT || errno == ESRCH ? ErrorCode::kTargetGone : ErrorCode::kTargetUnreadable;
    return fail_errno(code, "cannot open " + binary.host_path, errno);
  }
  if (status.st_dev != binary.device || status.st_ino != binary.inode) {
    return fail(ErrorCode::kTargetBinaryReplaced,
                binary.host_path + " was replaced: it is another file than the one that the process maps");
  }
  FilePlace place{.host_path = binary.host_path, .root = root, .device = binary.device, .inode = binary.inode};
  const FileKey key{status.st_dev, status.st_ino, status.st_size, to_ns(status.st_mtim), to_ns(status.st_ctim)};
  auto& remembered = facts_[key];
  remembered.last_plan = plan_;
  if (remembered.facts) {
    remembered.facts->move_to(std::move(place));
    return remembered.facts;
  }
  ++files_read_;
  auto facts = SymbolFacts::read(std::move(place), kernel_);
  if (!facts) {
    facts_.erase(key);
    return fail(facts.error());
  }
  remembered.facts = std::move(*facts);
  return remembered.facts;
}

void SymbolSource::end_plan() {
  ++plan_;
  for (auto& [key, remembered] : facts_) {
    remembered.facts->release();
  }
  std::erase_if(facts_, [&](const auto& entry) { return entry.second.last_plan + kPlansToRemember < plan_; });
}

}  // namespace raceguard::plan
