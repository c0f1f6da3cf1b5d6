// SPDX-License-Identifier: Apache-2.0
// What every transport carries: the state of every switch as applications see it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/breaker/decision.h"

namespace raceguard::switches {

struct SwitchEntry {
  std::string name;
  breaker::State state = breaker::State::kClosed;  // what applications see (observe mode: always closed)
  double allow_share = 1;
  std::uint32_t generation = 0;
  std::int64_t since_ns = 0;  // CLOCK_MONOTONIC
  std::string reason;
};

struct SwitchTable {
  std::vector<SwitchEntry> entries;
};

}  // namespace raceguard::switches
