// SPDX-License-Identifier: Apache-2.0
// The daemon's start and end, as two visible lists of steps (startup.cpp).
#pragma once

#include "daemon/options.h"
#include "daemon/policy/policy.h"
#include "raceguard/error.h"

namespace raceguard::app {

// Runs until SIGTERM or SIGINT; everything that was set is taken back when it returns, also on an error.
[[nodiscard]] Result<void> run_daemon(const Options& options, policy::Policy policy);

}  // namespace raceguard::app
