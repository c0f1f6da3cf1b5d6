// SPDX-License-Identifier: Apache-2.0
// Which processes the kernel is told about.
#pragma once

#include <span>
#include <vector>

#include "daemon/plan/build_plan.h"

namespace raceguard::plan {

// The targets that fit, by pid. Those that `previous` has stay; what is left out becomes one omission a guard.
std::vector<const targets::Target*> choose_targets(const policy::Policy& policy,
                                                   std::span<const targets::Target> targets, const ProbePlan& previous,
                                                   const PlanLimits& limits, std::vector<Omission>& omissions);

TargetEntry make_target_entry(const policy::Policy& policy, const targets::Target& target);

}  // namespace raceguard::plan
