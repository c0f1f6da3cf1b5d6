// SPDX-License-Identifier: Apache-2.0
// How long a switch stays open: exponential back-off with jitter, so that switches that opened together do not try
// together, and longest where the switch flaps.
#pragma once

#include <cstdint>
#include <deque>

#include "daemon/policy/policy.h"

namespace raceguard::breaker {

// splitmix64 (Steele, Lea, Flood, OOPSLA'14): eight bytes of state; the same seed gives the same decisions in a replay.
class RandomSource {
 public:
  explicit RandomSource(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next();
  [[nodiscard]] double next_unit();  // [0, 1)

 private:
  std::uint64_t state_;
};

class Backoff {
 public:
  explicit Backoff(std::uint64_t seed) : random_(seed) {}

  // The switch opened out of the closed state: remembered for flap detection.
  void note_opening(const policy::SwitchPolicy& policy, std::int64_t now_ns);
  void note_failed_trial() { ++failed_trials_; }
  void note_passed_trial() { failed_trials_ = 0; }

  // flap_openings openings within flap_window_ns.
  [[nodiscard]] bool is_flapping(const policy::SwitchPolicy& policy, std::int64_t now_ns) const;
  // Within [open_for_ns * (1 - jitter), open_for_max_ns * (1 + jitter)].
  [[nodiscard]] std::int64_t open_time_ns(const policy::SwitchPolicy& policy, std::int64_t now_ns);

 private:
  RandomSource random_;
  std::uint32_t failed_trials_ = 0;
  std::deque<std::int64_t> openings_ns_;  // the last flap_openings
};

}  // namespace raceguard::breaker
