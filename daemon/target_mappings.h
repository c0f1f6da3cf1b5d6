// SPDX-License-Identifier: Apache-2.0
// Where the binaries of a target are mapped, for the stages that decode stacks and name locks.
#pragma once

#include <span>

#include "daemon/events/decoder.h"
#include "daemon/targets/target_set.h"

namespace raceguard::app {

class TargetMappings final : public events::MappingSource {
 public:
  // `targets` must outlive this object.
  explicit TargetMappings(const targets::TargetSet& targets) : targets_(targets) {}

  [[nodiscard]] std::span<const targets::MappedBinary> mappings(pid_t pid) override {
    const targets::Target* target = targets_.find(pid);
    return target == nullptr ? std::span<const targets::MappedBinary>{} : target->binaries;
  }
  // Mappings are followed by TargetSet (after an exec, and at each scan), not on demand.
  bool refresh(pid_t) override { return false; }

 private:
  const targets::TargetSet& targets_;
};

}  // namespace raceguard::app
