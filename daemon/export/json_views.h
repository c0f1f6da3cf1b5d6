// SPDX-License-Identifier: Apache-2.0
// The JSON documents of docs/api.md, made from a Snapshot: the HTTP API, the control socket and `raceguardctl -o json`
// all answer with these. Keys are snake_case and stable; durations are numbers in `_seconds`; times are RFC 3339 in
// UTC, or null.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "daemon/breaker/decision.h"
#include "daemon/detect/finding.h"
#include "raceguard/error.h"

namespace raceguard::exporting {

struct Snapshot;

inline constexpr std::size_t kDefaultLimit = 100;

[[nodiscard]] nlohmann::json status_json(const Snapshot& snapshot);
[[nodiscard]] nlohmann::json targets_json(const Snapshot& snapshot);
// Longest total wait first, at most `limit`; "total" says how many there are.
[[nodiscard]] nlohmann::json locks_json(const Snapshot& snapshot, std::size_t limit = kDefaultLimit);
// Most total time first, at most `limit`.
[[nodiscard]] nlohmann::json functions_json(const Snapshot& snapshot, std::size_t limit = kDefaultLimit);
[[nodiscard]] nlohmann::json switches_json(const Snapshot& snapshot);
// One finding that is no data race: in the list, and a deadlock in the evidence file.
[[nodiscard]] nlohmann::json finding_json(const detect::Finding& finding);
[[nodiscard]] nlohmann::json findings_json(const Snapshot& snapshot);
// Why a switch is where it is. Error: kSwitchUnknown, which names the switches that there are.
[[nodiscard]] Result<nlohmann::json> explain_json(const Snapshot& snapshot, std::string_view switch_name);

// A transition with all that its judge knew: in explain, and in the evidence file for replay.
[[nodiscard]] nlohmann::json decision_json(const breaker::Decision& decision);

[[nodiscard]] std::string_view state_name(breaker::State state);  // "closed" "open" "half_open"
// "2026-01-31T23:59:59.123456Z"; microseconds, cut off.
[[nodiscard]] std::string rfc3339_utc(std::int64_t realtime_ns);

}  // namespace raceguard::exporting
