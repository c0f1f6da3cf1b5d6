// SPDX-License-Identifier: Apache-2.0
// raceguardd --check: is the policy right for the processes that run now?
#pragma once

#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"
#include "raceguard/error.h"

namespace raceguard::app {

struct PolicyCheck {
  std::size_t targets = 0;  // running processes that it selects
  plan::ProbePlan plan;
  // A glob that matches nothing in a running target; what could not be planned for other reasons is no mistake.
  [[nodiscard]] static bool is_mistake(const plan::Omission& omission) {
    return omission.code == ErrorCode::kPolicyMatchesNothing;
  }
};

// Plans for the processes that run now; attaches nothing. Errors: /proc cannot be read.
[[nodiscard]] Result<PolicyCheck> plan_now(const policy::Policy& policy);

// Prints what would be probed, and for globs that match nothing in a running target where they stand and what is near.
// Returns the exit status: 0 valid, 2 not. Attaches nothing.
[[nodiscard]] int check_policy(const policy::Policy& policy);

}  // namespace raceguard::app
