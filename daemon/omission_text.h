// SPDX-License-Identifier: Apache-2.0
// What a plan left out, as a line for people: where the policy asks for it, what, and why not.
#pragma once

#include <string>
#include <vector>

#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"

namespace raceguard::app {

// "checkout.yaml:12:9: policy checkout: function recomend*: RG-P108 no function matches ..."
[[nodiscard]] std::string omission_text(const policy::Policy& policy, const plan::Omission& omission);

// "checkout.yaml:5:5: policy checkout: no running process matches its target" for each guard without one in the plan.
[[nodiscard]] std::vector<std::string> guards_without_target(const policy::Policy& policy, const plan::ProbePlan& plan);

}  // namespace raceguard::app
