// SPDX-License-Identifier: Apache-2.0
// The parameters of the control socket's acting methods (docs/api.md), checked.
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/breaker/decision.h"
#include "raceguard/error.h"

namespace raceguard::app {

struct SwitchRequest {
  std::string name;
  breaker::State state = breaker::State::kClosed;  // force only
  std::string reason;
  std::int64_t ttl_ns = 0;  // force only; 0: until released
};

struct SuppressRequest {
  std::string id;  // of a data race
  std::string reason;
};

// force   {"switch", "state": "open"|"closed", "reason", "ttl_seconds"}: a reason is required, a person will read it
// release {"switch"}, and "reason" if there is one
// Errors: kControlRequest.
[[nodiscard]] Result<SwitchRequest> decode_switch_request(const std::string& method, const nlohmann::json& params);

// {"id"}, and "reason" if there is one. Errors: kControlRequest.
[[nodiscard]] Result<SuppressRequest> decode_suppress_request(const nlohmann::json& params);

}  // namespace raceguard::app
