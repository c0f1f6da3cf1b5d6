// SPDX-License-Identifier: Apache-2.0
// What bursts found out about locks, as JSON (docs/schema/lock-report.schema.json).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/detect/lock_report.h"

namespace raceguard::exporting {

// The steps of a cycle, each with its locks, places and stack.
[[nodiscard]] nlohmann::json orders_json(const std::vector<detect::NamedOrder>& cycle);
[[nodiscard]] nlohmann::json lock_report_json(const detect::LockReport& report);

}  // namespace raceguard::exporting
