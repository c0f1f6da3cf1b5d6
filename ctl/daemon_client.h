// SPDX-License-Identifier: Apache-2.0
// One question to the daemon, for commands that can do without it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "ctl/invocation.h"

namespace raceguard::ctl {

// Errors: those of ControlClient.
[[nodiscard]] Result<nlohmann::json> ask_daemon(const Invocation& invocation, const std::string& method,
                                                const nlohmann::json& params);

// Text to the standard output, whole or an error.
int put(const std::string& text);
int put(const nlohmann::json& document);

}  // namespace raceguard::ctl
