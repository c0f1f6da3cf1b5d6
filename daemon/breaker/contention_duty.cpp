// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/contention_duty.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/breaker/group_budget.h"
#include "daemon/breaker/percent_text.h"

namespace raceguard::breaker {

void ContentionDuty::Part::add(const Sample& sample) {
  elapsed_ns += sample.elapsed_ns;
  cost_ns += sample.cost_ns;
  cpu_ns += std::max(static_cast<double>(sample.cpu_ns),
                     GroupBudget::kLeastCpuShare * static_cast<double>(sample.elapsed_ns));
}

std::optional<BudgetStep> ContentionDuty::tick(const Instant& now, const Sample& sample) {
  Part& part = resting_ ? rested_ : watched_;
  part.add(sample);
  if (part.elapsed_ns < (resting_ ? rest_ns() : kWatchNs)) {
    return std::nullopt;
  }
  if (!resting_ && level_ > 0) {
    resting_ = true;
    return std::nullopt;
  }
  auto step = judge(now);
  watched_ = {};
  rested_ = {};
  resting_ = false;
  return step;
}

// What a rest costs is what the kernel takes for calls that nobody looks at.
std::uint8_t ContentionDuty::level_within(double bound) const {
  for (std::uint8_t level = 0; level < kMostLevel; ++level) {
    const double watched = 1.0 / static_cast<double>(1U << level);
    if (watched_.share() * watched + rested_.share() * (1 - watched) <= bound) {
      return level;
    }
  }
  return kMostLevel;
}

std::optional<BudgetStep> ContentionDuty::judge(const Instant& now) {
  if (share_ >= 1) {
    return std::nullopt;
  }
  const double seen = watched_.share();
  const std::uint8_t needed = level_within(share_);
  const bool over = needed > level_;
  const bool twice = std::exchange(over_before_, over);
  std::uint8_t next = level_;
  if (over && (twice || seen > kAtOnceFrom * share_)) {
    next = needed;
  } else if (now.monotonic_ns >= more_from_ns_ && level_within(kMoreBelow * share_) < level_) {
    next = static_cast<std::uint8_t>(level_ - 1);
  }
  if (next == level_) {
    return std::nullopt;
  }
  const bool less = next > level_;
  level_ = next;
  more_from_ns_ = now.monotonic_ns + kMoreAfterNs;
  return BudgetStep{.kind = less ? BudgetStep::Kind::kWatchLess : BudgetStep::Kind::kWatchMore,
                    .group = group_,
                    .key = "contention",
                    .name = "contention",
                    .reason = fmt::format("seeing its futex calls takes {} of its CPU time, of a budget of {}; it is "
                                          "watched for {} of the time",
                                          percent(seen), percent(share_), percent(watched_share())),
                    .evidence = {{.what = "contention_cost_ratio", .value = seen, .threshold = share_, .samples = 1}},
                    .time = now,
                    .watch_share = watched_share()};
}

}  // namespace raceguard::breaker
