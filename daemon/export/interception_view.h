// SPDX-License-Identifier: Apache-2.0
// An interception as a JSON document (docs/api.md).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/detect/interception.h"

namespace raceguard::exporting {

[[nodiscard]] nlohmann::json interception_json(const detect::Interception& interception);

}  // namespace raceguard::exporting
