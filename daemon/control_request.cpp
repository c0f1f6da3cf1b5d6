// SPDX-License-Identifier: Apache-2.0
#include "daemon/control_request.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

constexpr double kLongestForceSeconds = 30.0 * 24 * 3600;

Result<std::string> required_text(const nlohmann::json& params, const char* key) {
  const auto found = params.find(key);
  if (found == params.end() || !found->is_string() || found->get_ref<const std::string&>().empty()) {
    return fail(ErrorCode::kControlRequest, fmt::format("the request needs \"{}\", a text that is not empty", key));
  }
  return found->get<std::string>();
}

}  // namespace

Result<SwitchRequest> decode_switch_request(const std::string& method, const nlohmann::json& params) {
  if (method != "force" && method != "release") {
    return fail(ErrorCode::kControlRequest, fmt::format("unknown method \"{}\"", method));
  }
  auto name = required_text(params, "switch");
  if (!name) {
    return fail(std::move(name.error()));
  }
  SwitchRequest request{.name = std::move(*name), .reason = {}};
  if (method == "release" && !params.contains("reason")) {
    request.reason = "released by hand";
    return request;
  }
  auto reason = required_text(params, "reason");
  if (!reason) {
    return fail(std::move(reason.error()));
  }
  request.reason = std::move(*reason);
  if (method == "release") {
    return request;
  }
  const auto state = required_text(params, "state");
  if (!state || (*state != "open" && *state != "closed")) {
    return fail(ErrorCode::kControlRequest, "the request needs \"state\": \"open\" or \"closed\"");
  }
  request.state = *state == "open" ? breaker::State::kOpen : breaker::State::kClosed;
  if (const auto ttl = params.find("ttl_seconds"); ttl != params.end()) {
    const double seconds = ttl->is_number() ? ttl->get<double>() : -1;
    if (!(seconds >= 0 && seconds <= kLongestForceSeconds)) {
      return fail(ErrorCode::kControlRequest,
                  "\"ttl_seconds\" must be a number from 0 (until released) to 2592000 (30 days)");
    }
    request.ttl_ns = static_cast<std::int64_t>(std::llround(seconds * static_cast<double>(kNsPerSecond)));
  }
  return request;
}

Result<SuppressRequest> decode_suppress_request(const nlohmann::json& params) {
  auto id = required_text(params, "id");
  if (!id) {
    return fail(std::move(id.error()));
  }
  SuppressRequest request{.id = std::move(*id), .reason = "no reason was given"};
  if (params.contains("reason")) {
    auto reason = required_text(params, "reason");
    if (!reason) {
      return fail(std::move(reason.error()));
    }
    request.reason = std::move(*reason);
  }
  return request;
}

}  // namespace raceguard::app
