// SPDX-License-Identifier: Apache-2.0
// How long what cost too much stays off: the back-off of the switches with the governor's times.
#pragma once

#include <algorithm>

#include "daemon/breaker/budget.h"
#include "daemon/policy/policy.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

inline policy::SwitchPolicy exemption_times(const GovernorOptions& options) {
  constexpr std::int64_t kLongestNs = 3600 * kNsPerSecond;
  policy::SwitchPolicy times;
  times.open_for_ns = options.exempt_for_ns;
  times.open_for_max_ns = std::max(options.exempt_for_ns, kLongestNs);
  times.flap_openings = 1;  // never: each failed trial doubles the time already
  return times;
}

}  // namespace raceguard::breaker
