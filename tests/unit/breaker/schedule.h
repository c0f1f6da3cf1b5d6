// SPDX-License-Identifier: Apache-2.0
// Random schedules for the property tests: policies, ticks with samples, forces and releases, all from one seed.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "daemon/breaker/breaker_set.h"
#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {

struct Step {
  Instant now;
  Samples samples;
  std::string force_name;  // empty: no force in this step
  State force_state = State::kOpen;
  std::int64_t ttl_ns = 0;
  std::string release_name;
};

struct Schedule {
  std::uint64_t seed = 0;
  std::uint32_t max_open = 0;
  std::vector<policy::SwitchPolicy> policies;
  std::vector<Step> steps;
};

class ScheduleMaker {
 public:
  explicit ScheduleMaker(std::uint64_t seed) : seed_(seed), random_(seed) {}

  Schedule make(bool with_forces) {
    Schedule schedule{.seed = seed_, .max_open = static_cast<std::uint32_t>(below(4)), .policies = {}, .steps = {}};
    const std::uint64_t switches = 1 + below(5);
    for (std::uint64_t i = 0; i < switches; ++i) {
      schedule.policies.push_back(policy("s" + std::to_string(i)));
    }
    Instant now = at_ms(0);
    for (int i = 0; i < 150; ++i) {
      now.monotonic_ns += static_cast<std::int64_t>(below(2) != 0 ? below(200) : below(3000)) * kNsPerMs;
      schedule.steps.push_back(step(now, schedule.policies, with_forces));
    }
    return schedule;
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  policy::SwitchPolicy policy(const std::string& name) {
    policy::SwitchPolicy policy;
    policy.name = name;
    policy.mode = one_in(3) ? policy::SwitchMode::kObserve : policy::SwitchMode::kEnforce;
    if (one_in(2)) {
      policy.open_slow_ratio = 0.1 + 0.1 * static_cast<double>(below(9));
      policy.close_slow_ratio = *policy.open_slow_ratio * 0.5;
    }
    if (one_in(2)) {
      policy.open_error_ratio = 0.2;
    }
    if (one_in(2) || (!policy.open_slow_ratio && !policy.open_error_ratio)) {
      policy.open_lock_wait_p99_ns = kNsPerMs;
    }
    policy.window.duration_ns = one_in(2) ? static_cast<std::int64_t>(1 + below(5)) * kNsPerSecond : 0;
    policy.window.calls = policy.window.duration_ns == 0 ? static_cast<std::uint32_t>(10 + below(200)) : 0;
    policy.minimum_calls = static_cast<std::uint32_t>(1 + below(30));
    policy.minimum_waits = static_cast<std::uint32_t>(1 + below(30));
    policy.open_for_ns = static_cast<std::int64_t>(100 + below(3000)) * kNsPerMs;
    policy.open_for_max_ns = policy.open_for_ns * static_cast<std::int64_t>(1 + below(20));
    policy.backoff_factor = 1 + static_cast<double>(below(4));
    policy.jitter = 0.1 * static_cast<double>(below(6));
    policy.half_open_calls = static_cast<std::uint32_t>(below(20));
    policy.half_open_deadline_ns = static_cast<std::int64_t>(100 + below(5000)) * kNsPerMs;
    policy.flap_openings = static_cast<std::uint32_t>(2 + below(4));
    policy.flap_window_ns = static_cast<std::int64_t>(1 + below(60)) * kNsPerSecond;
    return policy;
  }

  Step step(const Instant& now, const std::vector<policy::SwitchPolicy>& policies, bool with_forces) {
    Step step{.now = now, .samples = {}, .force_name = {}, .release_name = {}};
    for (const policy::SwitchPolicy& policy : policies) {
      if (one_in(3)) {
        continue;
      }
      const std::uint64_t count = below(20);
      Sample sample = calls(count, one_in(2) ? 0 : below(count + 1), one_in(2) ? 0 : below(count + 1));
      if (one_in(2)) {
        sample.lock_waits[below(RG_HISTOGRAM_BUCKETS)] = static_cast<std::uint32_t>(below(20));
      }
      step.samples.emplace(policy.name, sample);
    }
    if (with_forces && one_in(10)) {
      step.force_name = policies[below(policies.size())].name;
      step.force_state = one_in(2) ? State::kOpen : State::kClosed;
      step.ttl_ns = one_in(3) ? 0 : static_cast<std::int64_t>(below(5000)) * kNsPerMs;
    }
    if (with_forces && one_in(15)) {
      step.release_name = policies[below(policies.size())].name;
    }
    return step;
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
};

}  // namespace raceguard::breaker
