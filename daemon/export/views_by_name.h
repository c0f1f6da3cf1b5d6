// SPDX-License-Identifier: Apache-2.0
// The read-only documents by the name that the HTTP path and the control method share.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"

namespace raceguard::exporting {

struct Snapshot;

inline constexpr std::array<std::string_view, 9> kViewNames = {
    "status", "targets", "locks", "advice", "functions", "switches", "findings", "explain", "interceptions"};

[[nodiscard]] bool is_view(std::string_view name);

// `params`: locks, advice and functions take {"limit": 1..100000}, explain needs {"switch": NAME}; null counts as {}.
// `snapshot` may be null (before the first tick). Errors: kControlRequest, kSwitchUnknown.
[[nodiscard]] Result<nlohmann::json> view_by_name(const Snapshot* snapshot, std::string_view name,
                                                  const nlohmann::json& params);

}  // namespace raceguard::exporting
