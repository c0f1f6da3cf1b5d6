// SPDX-License-Identifier: Apache-2.0
// Slots in the kernel's arrays of functions.
#pragma once

#include <cstdint>

#include "daemon/plan/probe_plan.h"

namespace raceguard::plan {

// Gives every probe of `plan` an id below `max_functions`: the one it has in `previous`, else the free one that was
// freed longest ago, so that late hits of a removed probe do not count for a new one. Probes beyond the limit leave the
// plan and become omissions.
void assign_function_ids(ProbePlan& plan, const ProbePlan& previous, std::uint32_t max_functions);

}  // namespace raceguard::plan
