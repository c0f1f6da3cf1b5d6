// SPDX-License-Identifier: Apache-2.0
// A transition of one switch's state machine, with the evidence for it. from == to where only the reason or the mode
// changed: a force on a switch that was in that state already, its end, a change of mode, an opening held back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raceguard::breaker {

enum class State { kClosed, kOpen, kHalfOpen };

struct Instant {
  std::int64_t monotonic_ns = 0;
  std::int64_t realtime_ns = 0;
};

// One value held against one threshold.
struct Measurement {
  std::string what;  // "slow_ratio", "error_ratio", "lock_wait_p99_seconds", "proven_races", "likely_races"
  double value = 0;
  double threshold = 0;
  std::uint64_t samples = 0;
};

struct Decision {
  std::string switch_name;
  State from = State::kClosed;
  State to = State::kClosed;
  bool enforced = false;   // false: mode observe, or held back by the cap; counted, nothing is flipped
  bool forced = false;     // by a person
  bool held_back = false;  // would have opened, but max_open_switches are open: from == to == kClosed, no generation
  bool flapping = false;
  std::string reason;  // one sentence
  std::string actor;   // "breaker", or who forced it: "uid 0 (root)"
  std::vector<Measurement> evidence;
  std::int64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t realtime_ns = 0;
  std::uint32_t generation = 0;     // of the switch, 1 for its first transition
  double allow_share = 1;           // share of calls that go to the real function in `to`
  std::int64_t next_change_ns = 0;  // monotonic: when the state may change by itself; 0: not by time
};

}  // namespace raceguard::breaker
