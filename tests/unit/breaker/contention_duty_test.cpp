// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/contention_duty.h"

#include <gtest/gtest.h>

#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {
namespace {

using Kind = BudgetStep::Kind;

// Targets that use one CPU and would pay `cost_share` of it, sampled each second.
class ContentionDutyTest : public testing::Test {
 protected:
  std::optional<BudgetStep> second() {
    now_.monotonic_ns += kNsPerSecond;
    now_.realtime_ns += kNsPerSecond;
    const double share = duty.resting() ? resting_cost_share : cost_share;
    spent_ns += share * kNsPerSecond;
    watched_seconds += duty.resting() ? 0 : 1;
    return duty.tick(now_, {.elapsed_ns = kNsPerSecond,
                            .cost_ns = static_cast<std::int64_t>(share * kNsPerSecond),
                            .cpu_ns = cpu_ns_a_second});
  }
  // Until a change of level, for so many seconds at most.
  std::optional<BudgetStep> run(int seconds) {
    for (int i = 0; i < seconds; ++i) {
      if (auto step = second()) {
        return step;
      }
    }
    return std::nullopt;
  }

  ContentionDuty duty{"shop", 0.01};
  double cost_share = 0;
  double resting_cost_share = 0;
  std::int64_t cpu_ns_a_second = kNsPerSecond;
  double spent_ns = 0;
  int watched_seconds = 0;

 private:
  Instant now_ = at_ms(0);
};

TEST_F(ContentionDutyTest, WithinTheBudgetItWatchesAlways) {
  cost_share = 0.0099;
  EXPECT_FALSE(run(100));
  EXPECT_EQ(watched_seconds, 100);
  EXPECT_DOUBLE_EQ(duty.watched_share(), 1);
}

TEST_F(ContentionDutyTest, OneSecondALittleOverItIsForgivenTwoAreNot) {
  cost_share = 0.015;
  EXPECT_FALSE(second());
  cost_share = 0;
  EXPECT_FALSE(second());
  cost_share = 0.015;
  EXPECT_FALSE(second());
  const auto step = second();
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::kWatchLess);
  EXPECT_EQ(step->group, "shop");
  EXPECT_DOUBLE_EQ(step->watch_share, 0.5);
  ASSERT_EQ(step->evidence.size(), 1U);
  EXPECT_NEAR(step->evidence[0].value, 0.015, 1e-9);
  EXPECT_DOUBLE_EQ(step->evidence[0].threshold, 0.01);
}

TEST_F(ContentionDutyTest, FarOverItGoesDownAtOnceAndFarEnough) {
  cost_share = 0.07;
  const auto step = second();
  ASSERT_TRUE(step);
  EXPECT_DOUBLE_EQ(step->watch_share, 1.0 / 8) << "the least rest that keeps to the budget";
  spent_ns = 0;
  EXPECT_FALSE(run(80));
  EXPECT_LE(spent_ns / (80.0 * kNsPerSecond), 0.01);
}

TEST_F(ContentionDutyTest, WhatARestCostsCountsToo) {
  cost_share = 0.018;
  resting_cost_share = 0.006;
  ASSERT_TRUE(run(2));
  const auto step = run(20);
  ASSERT_TRUE(step) << "half of both is 0.012";
  EXPECT_DOUBLE_EQ(step->watch_share, 0.25) << "a quarter and three quarters are 0.009";
}

TEST_F(ContentionDutyTest, ItComesBackStepByStepWhenTheLoadIsGone) {
  cost_share = 0.035;
  ASSERT_TRUE(run(2));
  ASSERT_DOUBLE_EQ(duty.watched_share(), 0.25);
  cost_share = 0.001;
  auto step = run(30);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->kind, Kind::kWatchMore);
  EXPECT_DOUBLE_EQ(step->watch_share, 0.5);
  step = run(30);
  ASSERT_TRUE(step);
  EXPECT_DOUBLE_EQ(step->watch_share, 1);
  EXPECT_FALSE(run(100));
}

TEST_F(ContentionDutyTest, JustBelowTheBudgetItStaysDown) {
  cost_share = 0.019;
  ASSERT_TRUE(run(2));
  cost_share = 0.009;  // more than 80 % of the budget
  EXPECT_FALSE(run(100));
  EXPECT_DOUBLE_EQ(duty.watched_share(), 0.5);
}

TEST_F(ContentionDutyTest, HoweverDearItIsWatchedNowAndThen) {
  cost_share = 10;
  ASSERT_TRUE(second());
  EXPECT_DOUBLE_EQ(duty.watched_share(), 1.0 / 32);
  watched_seconds = 0;
  EXPECT_FALSE(run(320));
  EXPECT_EQ(watched_seconds, 10);
}

TEST_F(ContentionDutyTest, AnIdleTargetsFewCallsAreNoReason) {
  cpu_ns_a_second = 0;
  cost_share = 0.0009;  // of a CPU: less than 1 % of a tenth
  EXPECT_FALSE(run(100));
}

TEST_F(ContentionDutyTest, WithoutABoundItNeverRests) {
  duty = ContentionDuty("shop", 1);
  cost_share = 5;
  EXPECT_FALSE(run(100));
  EXPECT_FALSE(duty.resting());
}

}  // namespace
}  // namespace raceguard::breaker
