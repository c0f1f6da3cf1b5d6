// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/judge.h"

#include <fmt/format.h>

#include <optional>

namespace raceguard::breaker {
namespace {

struct Thresholds {
  std::optional<double> slow_ratio;
  std::optional<double> error_ratio;
  std::optional<std::int64_t> lock_wait_p99_ns;
  std::optional<std::uint32_t> proven_races;
  std::optional<std::uint32_t> likely_races;
};

struct Criterion {
  Measurement measurement;
  std::uint64_t minimum_samples;
  const char* key;  // of the policy, whose unit people read the values in
  double scale;
  const char* unit;
  const char* samples_name;
};

void judge(Verdict& verdict, const Criterion& criterion) {
  const Measurement& seen = criterion.measurement;
  if (!verdict.reached && seen.samples >= criterion.minimum_samples && seen.value > 0 && seen.value >= seen.threshold) {
    verdict.reached = true;
    verdict.reason = fmt::format("{} {:.3g} {unit} reached {:.3g} {unit} in {} {}", criterion.key,
                                 seen.value * criterion.scale, seen.threshold * criterion.scale, seen.samples,
                                 criterion.samples_name, fmt::arg("unit", criterion.unit));
  }
  verdict.measurements.push_back(seen);
}

// One race is enough evidence where the policy says 1: there is no minimum, and nothing else to count.
void judge_races(Verdict& verdict, const char* key, const std::optional<std::uint32_t>& threshold,
                 const RaceCounts& races) {
  if (!threshold) {
    return;
  }
  const std::uint64_t seen = races.different();
  if (!verdict.reached && seen >= *threshold) {
    verdict.reached = true;
    verdict.reason = fmt::format("{} {} reached {}", key, seen, *threshold);
  }
  verdict.measurements.push_back({key, static_cast<double>(seen), static_cast<double>(*threshold), seen});
}

Verdict judge_by(const Thresholds& thresholds, const Totals& totals, const Minimums& minimums) {
  constexpr double kSecondsPerNs = 1e-9;
  Verdict verdict;
  if (thresholds.slow_ratio) {
    judge(verdict, {{"slow_ratio", totals.slow_ratio(), *thresholds.slow_ratio, totals.calls},
                    minimums.calls,
                    "slow_ratio",
                    100,
                    "%",
                    "calls"});
  }
  if (thresholds.error_ratio) {
    judge(verdict, {{"error_ratio", totals.error_ratio(), *thresholds.error_ratio, totals.calls},
                    minimums.calls,
                    "error_ratio",
                    100,
                    "%",
                    "calls"});
  }
  if (thresholds.lock_wait_p99_ns) {
    judge(verdict, {{"lock_wait_p99_seconds", static_cast<double>(totals.lock_wait_quantile_ns(0.99)) * kSecondsPerNs,
                     static_cast<double>(*thresholds.lock_wait_p99_ns) * kSecondsPerNs, totals.waits},
                    minimums.waits,
                    "lock_wait_p99",
                    1000,
                    "ms",
                    "lock waits"});
  }
  judge_races(verdict, "proven_races", thresholds.proven_races, totals.proven_races);
  judge_races(verdict, "likely_races", thresholds.likely_races, totals.likely_races);
  return verdict;
}

}  // namespace

Verdict judge_for_opening(const policy::SwitchPolicy& policy, const Totals& totals) {
  return judge_by({policy.open_slow_ratio, policy.open_error_ratio, policy.open_lock_wait_p99_ns,
                   policy.open_proven_races, policy.open_likely_races},
                  totals, {.calls = policy.minimum_calls, .waits = policy.minimum_waits});
}

Verdict judge_for_closing(const policy::SwitchPolicy& policy, const Totals& totals, const Minimums& minimums) {
  return judge_by({policy.close_slow_ratio ? policy.close_slow_ratio : policy.open_slow_ratio,
                   policy.close_error_ratio ? policy.close_error_ratio : policy.open_error_ratio,
                   policy.close_lock_wait_p99_ns ? policy.close_lock_wait_p99_ns : policy.open_lock_wait_p99_ns,
                   policy.close_proven_races ? policy.close_proven_races : policy.open_proven_races,
                   policy.close_likely_races ? policy.close_likely_races : policy.open_likely_races},
                  totals, minimums);
}

}  // namespace raceguard::breaker
