// SPDX-License-Identifier: Apache-2.0
// How a switch stands, for what acts on it inside the daemon.
#pragma once

#include <string>

#include "daemon/breaker/decision.h"

namespace raceguard::app {

struct SwitchCondition {
  std::string name;
  breaker::State state = breaker::State::kClosed;    // of the breaker
  breaker::State applied = breaker::State::kClosed;  // what applications see; mode observe: closed
};

}  // namespace raceguard::app
