// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/views_by_name.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/burst_json.h"
#include "daemon/export/interceptions_json.h"
#include "daemon/export/json_views.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

constexpr std::size_t kLimitMax = 100'000;

Result<std::size_t> limit_of(const json& params) {
  const auto found = params.find("limit");
  if (found == params.end()) {
    return kDefaultLimit;
  }
  if (!found->is_number_unsigned() || found->get<std::size_t>() < 1 || found->get<std::size_t>() > kLimitMax) {
    return fail(ErrorCode::kControlRequest, fmt::format("limit must be a whole number from 1 to {}", kLimitMax));
  }
  return found->get<std::size_t>();
}

Result<json> explain(const Snapshot& snapshot, const json& params) {
  const auto found = params.find("switch");
  if (found == params.end() || !found->is_string()) {
    return fail(ErrorCode::kControlRequest, "explain needs the name of a switch", "Send {\"switch\": NAME} as params");
  }
  return explain_json(snapshot, found->get_ref<const std::string&>());
}

}  // namespace

bool is_view(std::string_view name) {
  return std::find(kViewNames.begin(), kViewNames.end(), name) != kViewNames.end();
}

Result<json> view_by_name(const Snapshot* snapshot, std::string_view name, const json& params) {
  if (snapshot == nullptr) {
    return fail(ErrorCode::kControlRequest, "the daemon has not finished its first tick", "Ask again in a second");
  }
  const json& named = params.is_null() ? json::object() : params;
  if (!named.is_object()) {
    return fail(ErrorCode::kControlRequest, "params must be a JSON object");
  }
  if (name == "status") return status_json(*snapshot);
  if (name == "targets") return targets_json(*snapshot);
  if (name == "switches") return switches_json(*snapshot);
  if (name == "interceptions") return interceptions_json(*snapshot);
  if (name == "findings") return findings_json(*snapshot);
  if (name == "explain") return explain(*snapshot, named);
  const Result<std::size_t> limit = limit_of(named);
  if (!limit) return fail(limit.error());
  if (name == "locks") return locks_json(*snapshot, *limit);
  if (name == "advice") return advice_json(*snapshot, *limit);
  if (name == "functions") return functions_json(*snapshot, *limit);
  return fail(ErrorCode::kControlRequest, fmt::format("there is no view '{}'", name));
}

}  // namespace raceguard::exporting
