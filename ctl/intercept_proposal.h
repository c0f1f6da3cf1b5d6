// SPDX-License-Identifier: Apache-2.0
// From a proven data race to the functions that are to be kept apart.
#pragma once

#include <string>

#include "ctl/document.h"
#include "ctl/invocation.h"
#include "daemon/intercept_request.h"

namespace raceguard::ctl {

// Of a finding of the daemon's: the innermost function of each side that is real and can be intercepted, both as
// writers, because a proof says nothing about what else they do. Errors: kFindingUnknown, kUsage (no proven race), and
// those of app::find_sections for the last candidate.
[[nodiscard]] Result<app::InterceptRequest> propose(const Invocation& invocation, const std::string& finding);
[[nodiscard]] std::string proposal_text(const app::InterceptRequest& request, const std::string& finding);

// "raceguardctl intercept -p 812 -f put,get" for a race of a report; empty: a side has no function with a name.
[[nodiscard]] std::string intercept_command(const Doc& race, const std::string& pid);

}  // namespace raceguard::ctl
