// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/armed_time.h"

#include <gtest/gtest.h>

#include "raceguard/clock.h"

namespace raceguard::plan {
namespace {

constexpr double kZen = 26;
constexpr double kBudget = 0.01;
constexpr std::int64_t kStepNs = 4 * kNsPerMs;

// Steps through `duration_ns`; how much of it was armed.
std::int64_t armed_ns(ArmedTime& time, std::int64_t& now_ns, std::int64_t duration_ns, std::int64_t step_ns = kStepNs) {
  std::int64_t armed = 0;
  bool open = time.step(now_ns);
  for (const std::int64_t end_ns = now_ns + duration_ns; now_ns < end_ns;) {
    now_ns += step_ns;
    armed += open ? step_ns : 0;
    open = time.step(now_ns);
  }
  return armed;
}

TEST(ArmedTime, IsUnlimitedWhereWatchpointsSlowNothingDown) {
  ArmedTime time(1.1, kBudget);
  std::int64_t now_ns = kNsPerSecond;
  EXPECT_FALSE(time.is_limited());
  EXPECT_EQ(armed_ns(time, now_ns, kNsPerSecond), kNsPerSecond);
}

TEST(ArmedTime, IsLimitedWhereNobodyKnows) {
  EXPECT_DOUBLE_EQ(ArmedTime(std::nullopt, kBudget).share(), ArmedTime(kZen, kBudget).share());
}

TEST(ArmedTime, BeginsWithOneLongWindowAndThenKeepsItsShare) {
  ArmedTime time(kZen, kBudget);
  std::int64_t now_ns = kNsPerSecond;
  EXPECT_NEAR(static_cast<double>(armed_ns(time, now_ns, kNsPerSecond)), 0.53 * kNsPerSecond, 0.03 * kNsPerSecond);
  const auto later = static_cast<double>(armed_ns(time, now_ns, 100 * kNsPerSecond));
  EXPECT_NEAR(later, time.share() * 100 * kNsPerSecond, 0.1 * kNsPerSecond);
  EXPECT_NEAR(time.share(), 0.03, 1e-9);
}

TEST(ArmedTime, ALateStepIsPaidFor) {
  ArmedTime time(kZen, kBudget);
  std::int64_t now_ns = kNsPerSecond;
  armed_ns(time, now_ns, kNsPerSecond);
  const auto later = static_cast<double>(armed_ns(time, now_ns, 100 * kNsPerSecond, 40 * kNsPerMs));
  EXPECT_NEAR(later, time.share() * 100 * kNsPerSecond, 0.1 * kNsPerSecond);
}

TEST(ArmedTime, APauseIsNeitherPaidForNorSavedUp) {
  ArmedTime time(kZen, kBudget);
  std::int64_t now_ns = kNsPerSecond;
  ASSERT_TRUE(time.step(now_ns));
  time.pause(now_ns);
  now_ns += 10 * kNsPerSecond;
  EXPECT_TRUE(time.step(now_ns)) << "the first window is not over";
  armed_ns(time, now_ns, kNsPerSecond);
  time.pause(now_ns);
  now_ns += 3'600 * kNsPerSecond;
  EXPECT_LT(armed_ns(time, now_ns, kNsPerSecond), 50 * kNsPerMs);
}

TEST(ArmedTime, AWholeBudgetHasNoLimit) { EXPECT_FALSE(ArmedTime(kZen, 0.5).is_limited()); }

}  // namespace
}  // namespace raceguard::plan
