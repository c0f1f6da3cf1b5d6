// SPDX-License-Identifier: Apache-2.0
// What probes cost, and what was done about it, as JSON and as a line of the log.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/breaker/budget.h"

namespace raceguard::exporting {

struct Snapshot;

// Of the evidence file.
[[nodiscard]] nlohmann::json budget_step_json(const breaker::BudgetStep& step);
// "budget: exempt recommend(int) of shop: its probe took ..."
[[nodiscard]] std::string budget_step_text(const breaker::BudgetStep& step);
// Of the document status.
[[nodiscard]] nlohmann::json budget_json(const Snapshot& snapshot);
// Functions that are not probed for now, or on trial; of the documents status and functions.
[[nodiscard]] nlohmann::json exemptions_json(const Snapshot& snapshot);

}  // namespace raceguard::exporting
