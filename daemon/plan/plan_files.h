// SPDX-License-Identifier: Apache-2.0
// The distinct files that the targets of one plan map, opened when first needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/plan/binary_source.h"
#include "daemon/plan/probe_plan.h"

namespace raceguard::plan {

struct PlanFile {
  targets::MappedBinary binary;  // the best way to it: a plain path, then /proc/PID/...
  std::string root;              // of the process that way leads through
  std::string process;           // "pid 812 (mariadbd)", for messages
  bool opened = false;
  std::shared_ptr<BinaryFacts> facts;  // null: not opened, or it failed
  std::optional<Error> error;
  [[nodiscard]] BinaryId id() const;
};

class PlanFiles {
 public:
  PlanFiles(const std::vector<const targets::Target*>& targets, const ProbePlan& previous, BinarySource& source);

  // Never fails for a binary of the targets given above; `error` is set in the file if it could not be opened.
  PlanFile& open(const targets::MappedBinary& binary);

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  void offer(const targets::Target& target, const targets::MappedBinary& binary);

  std::map<Key, std::string> previous_paths_;
  std::map<Key, PlanFile> files_;
  BinarySource& source_;
};

}  // namespace raceguard::plan
