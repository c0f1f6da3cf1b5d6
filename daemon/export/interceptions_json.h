// SPDX-License-Identifier: Apache-2.0
// What the daemon keeps apart, as JSON (docs/api.md) and as lines of the log.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/export/interceptions_view.h"

namespace raceguard::exporting {

struct Snapshot;

[[nodiscard]] nlohmann::json interceptions_json(const Snapshot& snapshot);
// Of the evidence file.
[[nodiscard]] nlohmann::json interception_record_json(const InterceptionRecord& record);
// "interception begun: put, get of pid 812, for finding 1f0c22a94b7e of shop"
[[nodiscard]] std::string interception_record_text(const InterceptionRecord& record);

// What can be done about a finding by this, or is done, into its document.
void add_interception(const InterceptionsView& interceptions, const std::string& guard, nlohmann::json& finding);

}  // namespace raceguard::exporting
