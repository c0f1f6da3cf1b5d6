// SPDX-License-Identifier: Apache-2.0
// Short ways to say what a test of the breaker needs.
#pragma once

#include <cstdint>

#include "daemon/breaker/breaker.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

inline Instant at_ms(std::int64_t ms) {
  return {.monotonic_ns = 1'000'000 * kNsPerSecond + ms * kNsPerMs, .realtime_ns = ms * kNsPerMs};
}

inline Sample calls(std::uint64_t count, std::uint64_t slow = 0, std::uint64_t errors = 0) {
  return {.calls = count, .slow = slow, .errors = errors, .lock_waits = {}};
}

inline Sample waits(std::uint32_t count, std::int64_t each_ns) {
  Sample sample;
  sample.lock_waits[rg_histogram_bucket(static_cast<rg_u64>(each_ns))] = count;
  return sample;
}

// Opens at half slow calls of at least 10, for 1 s without jitter, then tries 5 calls for at most 2 s.
inline policy::SwitchPolicy slow_policy() {
  policy::SwitchPolicy policy;
  policy.name = "s";
  policy.mode = policy::SwitchMode::kEnforce;
  policy.open_slow_ratio = 0.5;
  policy.close_slow_ratio = 0.2;
  policy.minimum_calls = 10;
  policy.minimum_waits = 10;
  policy.window = {.duration_ns = 10 * kNsPerSecond, .calls = 0};
  policy.open_for_ns = kNsPerSecond;
  policy.open_for_max_ns = 60 * kNsPerSecond;
  policy.jitter = 0;
  policy.half_open_calls = 5;
  policy.half_open_deadline_ns = 2 * kNsPerSecond;
  return policy;
}

inline policy::SwitchPolicy lock_policy() {
  policy::SwitchPolicy policy = slow_policy();
  policy.open_slow_ratio.reset();
  policy.close_slow_ratio.reset();
  policy.open_lock_wait_p99_ns = 20 * kNsPerMs;
  policy.close_lock_wait_p99_ns = 10 * kNsPerMs;
  return policy;
}

}  // namespace raceguard::breaker
