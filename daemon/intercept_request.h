// SPDX-License-Identifier: Apache-2.0
// What is asked for: which functions of which process are to be kept apart, and by what.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "daemon/policy/intercepted.h"
#include "raceguard/clock.h"

namespace raceguard::app {

using policy::InterceptKey;
using policy::RequestedFunction;

struct InterceptRequest {
  pid_t pid = 0;
  std::vector<RequestedFunction> functions;
  std::int64_t wait_ns = 500 * kNsPerUs;
  std::int64_t lease_ns = 100 * kNsPerMs;
  bool dry_run = false;  // measures only: calls, their time, how many would have waited
  double budget = 0.10;  // share of the target's CPU time that it may take
};

}  // namespace raceguard::app
