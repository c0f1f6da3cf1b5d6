// SPDX-License-Identifier: Apache-2.0
// An interception as a JSON document (docs/api.md).
#pragma once

#include <array>

#include <nlohmann/json_fwd.hpp>

#include "daemon/detect/interception.h"

namespace raceguard::exporting {

// By the labels of RG_FAIL_OPEN_REASONS.
[[nodiscard]] nlohmann::json fail_open_json(const std::array<std::uint64_t, RG_OPEN_COUNT>& counts);
[[nodiscard]] nlohmann::json interception_json(const detect::Interception& interception);

}  // namespace raceguard::exporting
