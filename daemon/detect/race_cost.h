// SPDX-License-Identifier: Apache-2.0
// What a search for races took from the process that was watched.
#pragma once

#include <cstdint>

namespace raceguard::detect {

struct RaceCost {
  std::uint64_t hits = 0;          // of watchpoints, by the target
  std::uint64_t foreign_hits = 0;  // by other processes at the same addresses
  std::uint64_t holds = 0;
  std::int64_t hold_ns = 0;          // all holds together
  std::int64_t longest_hold_ns = 0;  // the bound of one
  double hit_cost_ns = 0;            // of one hit, calibrated
  std::int64_t charged_ns = 0;       // hits at their cost, and holds
  std::int64_t target_cpu_ns = 0;    // CPU time of the target meanwhile
  std::int64_t elapsed_ns = 0;
  double budget = 0;  // allowed share of one CPU
};

}  // namespace raceguard::detect
