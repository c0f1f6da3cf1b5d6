// SPDX-License-Identifier: Apache-2.0
// What a finding of a deadlock has beyond the others: docs/api.md, findings.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "daemon/detect/deadlock_finding.h"

namespace raceguard::exporting {

[[nodiscard]] nlohmann::json deadlock_json(const detect::Deadlock& deadlock);

}  // namespace raceguard::exporting
