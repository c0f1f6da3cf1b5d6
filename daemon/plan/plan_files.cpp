// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/plan_files.h"

#include <fmt/format.h>

namespace raceguard::plan {
namespace {

// A plain path outlives the process; a magic link of one process that ended is no use when a word is flipped later.
int rank(const targets::MappedBinary& binary) {
  if (binary.host_path.empty()) {
    return 0;
  }
  if (binary.deleted) {
    return 1;
  }
  return binary.host_path == binary.path ? 3 : 2;
}

Error not_openable(const PlanFile& file) {
  return Error(ErrorCode::kTargetBinaryReplaced,
               fmt::format("{}, mapped by {}, was replaced or deleted, and the mapped file cannot be reached",
                           file.binary.path, file.process),
               "Restart the process, or give the daemon CAP_CHECKPOINT_RESTORE");
}

}  // namespace

BinaryId PlanFile::id() const {
  return {.device = binary.device, .inode = binary.inode, .build_id = facts ? facts->build_id() : std::string()};
}

PlanFiles::PlanFiles(const std::vector<const targets::Target*>& targets, const ProbePlan& previous,
                     BinarySource& source)
    : source_(source) {
  for (const FunctionProbe& probe : previous.functions) {
    previous_paths_.emplace(Key{probe.binary.device, probe.binary.inode}, probe.host_path);
  }
  for (const SwitchWord& word : previous.words) {
    previous_paths_.emplace(Key{word.binary.device, word.binary.inode}, word.host_path);
  }
  for (const targets::Target* target : targets) {
    for (const targets::MappedBinary& binary : target->binaries) {
      offer(*target, binary);
    }
  }
}

void PlanFiles::offer(const targets::Target& target, const targets::MappedBinary& binary) {
  const Key key{binary.device, binary.inode};
  PlanFile file{.binary = binary,
                .root = target.root,
                .process = fmt::format("pid {} ({})", target.id.pid, target.comm),
                .facts = {},
                .error = {}};
  const auto [at, is_new] = files_.try_emplace(key, file);
  if (is_new) {
    return;
  }
  const targets::MappedBinary& best = at->second.binary;
  const auto previous = previous_paths_.find(key);
  const bool keeps_path =
      previous != previous_paths_.end() && previous->second == binary.host_path && best.host_path != binary.host_path;
  if (rank(binary) > rank(best) || (rank(binary) == rank(best) && keeps_path)) {
    at->second = std::move(file);
  }
}

PlanFile& PlanFiles::open(const targets::MappedBinary& binary) {
  PlanFile& file = files_.at({binary.device, binary.inode});
  if (file.opened) {
    return file;
  }
  file.opened = true;
  if (file.binary.host_path.empty()) {
    file.error = not_openable(file);
    return file;
  }
  auto facts = source_.open(file.binary, file.root);
  if (facts) {
    file.facts = std::move(*facts);
  } else {
    file.error = std::move(facts.error());
  }
  return file;
}

}  // namespace raceguard::plan
