// SPDX-License-Identifier: Apache-2.0
// What is asked for: which functions of which process are to be kept apart, and by what.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/policy/intercepted.h"
#include "raceguard/clock.h"

namespace raceguard::app {

using policy::InterceptKey;

struct RequestedFunction : policy::RequestedFunction {
  // Offsets of its instructions that have to be kept apart, if not all from its entry to its return. Ascending.
  std::vector<std::uint64_t> accesses;

  RequestedFunction() = default;
  RequestedFunction(policy::RequestedFunction whole) : policy::RequestedFunction(std::move(whole)) {}
  friend bool operator==(const RequestedFunction&, const RequestedFunction&) = default;
};

// "put", "count[+0x1c,+0x24]"
[[nodiscard]] std::string name_with_accesses(const RequestedFunction& function);
// "put,get=read,count[+0x1c,+0x24]@arg1", as policy::parse_intercepted() has it. Error: kUsage.
[[nodiscard]] Result<std::vector<RequestedFunction>> parse_requested(const std::string& text,
                                                                     const InterceptKey& fallback);

struct InterceptRequest {
  pid_t pid = 0;
  std::vector<RequestedFunction> functions;
  std::int64_t wait_ns = 500 * kNsPerUs;
  std::int64_t lease_ns = 100 * kNsPerMs;
  bool dry_run = false;  // measures only: calls, their time, how many would have waited
  double budget = 0.10;  // share of the target's CPU time that it may take
};

}  // namespace raceguard::app
