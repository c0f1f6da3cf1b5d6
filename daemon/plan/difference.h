// SPDX-License-Identifier: Apache-2.0
// A reload is the difference of two plans.
#pragma once

#include "daemon/plan/probe_plan.h"

namespace raceguard::plan {

// What turns the kernel's state from `old_plan` into `new_plan`, no more. Both in canonical order.
[[nodiscard]] PlanDifference difference(const ProbePlan& old_plan, const ProbePlan& new_plan);

}  // namespace raceguard::plan
