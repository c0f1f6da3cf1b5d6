// SPDX-License-Identifier: Apache-2.0
// policy + targets + their files -> the plan. Pure but for the files that `binaries` reads.
#pragma once

#include <cstdint>
#include <span>

#include "daemon/plan/binary_source.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"
#include "daemon/targets/target.h"

namespace raceguard::plan {

// The sizes of the kernel's maps, fixed when it was loaded.
struct PlanLimits {
  std::uint32_t max_functions = 512;
  std::uint32_t max_targets = 4096;
};

// What cannot be planned becomes an Omission; there is always a plan. A guard without targets waits: it plans nothing
// and omits nothing. Function ids of `previous` are kept while guard, name, binary and symbol are equal.
[[nodiscard]] ProbePlan build_plan(const policy::Policy& policy, std::span<const targets::Target> targets,
                                   BinarySource& binaries, const ProbePlan& previous, const PlanLimits& limits);

}  // namespace raceguard::plan
