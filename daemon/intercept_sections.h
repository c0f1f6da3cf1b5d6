// SPDX-License-Identifier: Apache-2.0
// From the names that a user gave to instructions of a running process.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/intercept_request.h"
#include "daemon/kernel/interceptor.h"
#include "daemon/targets/target.h"

namespace raceguard::app {

struct InterceptSections {
  targets::ProcessId process;
  std::string exe;
  std::vector<kernel::InterceptedFunction> functions;
  std::vector<std::size_t> requested;  // of each function: which of the request's
  std::vector<kernel::CatchSite> catches;
  std::vector<std::string> notes;  // what is not as good as the user may think
};

// A name is looked for in the process's executable first, then in its libraries, and stands for every function of the
// first of them that has it. Errors: kTargetGone, kTargetUnreadable, kSymbolNotFound (with the nearest names),
// kSymbolGoProgram, kSymbolNoSite (also: inlined copies only), kPlanLimit, kUsage (a key that is no number).
[[nodiscard]] Result<InterceptSections> find_sections(const InterceptRequest& request);

// For each side of a race: the functions that it may be kept apart in, innermost first.
using RaceSides = std::vector<std::vector<RequestedFunction>>;

// Of each side the first that can be intercepted; one that both share once. Errors: those of find_sections() for a
// side's last candidate, kSymbolNotFound for a side without any.
[[nodiscard]] Result<std::vector<RequestedFunction>> find_innermost(pid_t pid, const RaceSides& sides);

}  // namespace raceguard::app
