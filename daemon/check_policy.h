// SPDX-License-Identifier: Apache-2.0
// raceguardd --check: is the policy right for the processes that run now?
#pragma once

#include "daemon/policy/policy.h"

namespace raceguard::app {

// Prints what would be probed, and for globs that match nothing in a running target where they stand and what is near.
// Returns the exit status: 0 valid, 2 not. Attaches nothing.
[[nodiscard]] int check_policy(const policy::Policy& policy);

}  // namespace raceguard::app
