// SPDX-License-Identifier: Apache-2.0
// The budget of one group's contention watch: what seeing its futex calls may take of its CPU time. Where that is more,
// the watch rests for a part of the time. Pure: time and samples are arguments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/breaker/budget.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

class ContentionDuty {
 public:
  static constexpr std::int64_t kWatchNs = kNsPerSecond;  // at a time, between rests
  static constexpr std::uint8_t kMostLevel = 5;           // at level n the watch is on for 1 / 2^n of the time
  // Twice over the budget is chance the first time; so many times over is not.
  static constexpr double kAtOnceFrom = 4;
  static constexpr double kMoreBelow = 0.8;                        // of the budget, that more has to keep below
  static constexpr std::int64_t kMoreAfterNs = 10 * kNsPerSecond;  // of the change before

  struct Sample {  // since the one before
    std::int64_t elapsed_ns = 0;
    std::int64_t cost_ns = 0;
    std::int64_t cpu_ns = 0;  // of the targets
  };

  // `share` 1 or more: no bound.
  ContentionDuty(std::string group, double share) : group_(std::move(group)), share_(share) {}

  // A change of level, if one follows; resting() may change without one.
  std::optional<BudgetStep> tick(const Instant& now, const Sample& sample);

  [[nodiscard]] bool resting() const { return resting_; }
  // Of the time, on average.
  [[nodiscard]] double watched_share() const { return 1.0 / static_cast<double>(1U << level_); }
  [[nodiscard]] double share() const { return share_; }

 private:
  struct Part {
    std::int64_t elapsed_ns = 0;
    std::int64_t cost_ns = 0;
    double cpu_ns = 0;
    void add(const Sample& sample);
    [[nodiscard]] double share() const { return cpu_ns > 0 ? static_cast<double>(cost_ns) / cpu_ns : 0; }
  };
  [[nodiscard]] std::int64_t rest_ns() const { return kWatchNs * ((std::int64_t{1} << level_) - 1); }
  [[nodiscard]] std::uint8_t level_within(double bound) const;
  std::optional<BudgetStep> judge(const Instant& now);

  std::string group_;
  double share_;
  std::uint8_t level_ = 0;
  bool resting_ = false;
  bool over_before_ = false;
  std::int64_t more_from_ns_ = 0;
  Part watched_;
  Part rested_;
};

}  // namespace raceguard::breaker
