// SPDX-License-Identifier: Apache-2.0
// Holds what was seen against the thresholds of a policy.
#pragma once

#include <string>
#include <vector>

#include "daemon/breaker/decision.h"
#include "daemon/breaker/window.h"
#include "daemon/policy/policy.h"

namespace raceguard::breaker {

struct Verdict {
  std::vector<Measurement> measurements;  // one for each threshold that the policy sets
  bool reached = false;                   // one of them, with enough samples
  std::string reason;                     // "slow_ratio 42 % reached 25 % in 310 calls", of the first that was reached
};

struct Minimums {
  std::uint64_t calls = 1;  // below this many, ratios are not judged
  std::uint64_t waits = 1;
};

// A value reaches its threshold when it is equal or greater, and not zero. Races have no minimum of samples.
Verdict judge_for_opening(const policy::SwitchPolicy& policy, const Totals& totals);
// By the thresholds to close, which default to those to open.
Verdict judge_for_closing(const policy::SwitchPolicy& policy, const Totals& totals, const Minimums& minimums);

}  // namespace raceguard::breaker
