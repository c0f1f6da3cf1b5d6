// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/governor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/breaker/budget_world.h"

namespace raceguard::breaker {
namespace {

using Kind = BudgetStep::Kind;

std::vector<Kind> kinds(const std::vector<BudgetStep>& steps) {
  std::vector<Kind> all;
  for (const BudgetStep& step : steps) {
    all.push_back(step.kind);
  }
  return all;
}

TEST(Governor, LeavesAloneWhatKeepsToTheBudget) {
  BudgetWorld world(0.01);
  world.functions = {{"recommend", {.cost_share = 0.004}}, {"pay", {.cost_share = 0.005}}};
  EXPECT_TRUE(world.run(3600).empty());
}

TEST(Governor, ExemptsAHotFunctionAtTheFirstSampleAndNoOther) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.6}}, {"cold", {.cost_share = 0.001}}};
  const auto steps = world.step();
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].kind, Kind::kExempt);
  EXPECT_EQ(steps[0].key, "hot");
  EXPECT_EQ(steps[0].group, "shop");
  EXPECT_EQ(steps[0].reason, "its probe took 60 % of the CPU time of shop, all probes took 60.1 % of a budget of 1 %");
  ASSERT_FALSE(steps[0].evidence.empty());
  EXPECT_DOUBLE_EQ(steps[0].evidence[0].threshold, 0.01);
  EXPECT_NEAR(steps[0].evidence[0].value, 0.6, 1e-9);
  EXPECT_TRUE(world.probed("cold"));
  EXPECT_TRUE(world.run(50).empty()) << "the others fit";
}

TEST(Governor, ExemptsAsManyAsNeededAtOnce) {
  BudgetWorld world(0.01);
  for (int i = 0; i < 40; ++i) {
    world.functions["hot" + std::to_string(i)] = {.cost_share = 0.02};
  }
  world.functions["cold"] = {.cost_share = 0.002};
  EXPECT_EQ(world.step().size(), 40U);
  EXPECT_TRUE(world.probed("cold"));
}

TEST(Governor, ForgivesABurst) {
  BudgetWorld world(0.01);
  world.functions = {{"batch", {.cost_share = 0.015}}};
  EXPECT_TRUE(world.run(1.5).empty());
  world.functions["batch"].cost_share = 0;
  EXPECT_TRUE(world.run(10).empty());
}

TEST(Governor, ExemptsWhatIsTwiceTheBudgetAfterTwoSeconds) {
  BudgetWorld world(0.01);
  world.functions = {{"warm", {.cost_share = 0.02}}};
  const std::int64_t begin_ns = world.now_ns();
  EXPECT_EQ(kinds(world.run(10)), std::vector{Kind::kExempt});
  EXPECT_NEAR(static_cast<double>(world.now_ns() - begin_ns) / kNsPerSecond, 2, 0.2);
}

TEST(Governor, IdleTargetsMayBeCalledNowAndThen) {
  BudgetWorld world(0.01);
  world.cpus = 0.001;
  world.functions = {{"recommend", {.cost_share = 0.5}}};  // 0.5 ms a second
  EXPECT_TRUE(world.run(600).empty());
}

TEST(Governor, WithoutABoundNothingIsExempt) {
  BudgetWorld world(1);
  world.functions = {{"hot", {.cost_share = 1.2}}};
  EXPECT_TRUE(world.run(60).empty());
}

TEST(Governor, TriesAgainWithBackOffAndRestoresWhatBecameCheap) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.6}}};
  std::vector<std::int64_t> off_ns;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(kinds(world.run(1)), std::vector{Kind::kExempt}) << "it is hot still";
    const std::int64_t since_ns = world.now_ns();
    EXPECT_EQ(world.all.back().next_change_ns > since_ns, true);
    ASSERT_EQ(kinds(world.run(1000)), std::vector{Kind::kTry});
    off_ns.push_back(world.now_ns() - since_ns);
  }
  EXPECT_NEAR(static_cast<double>(off_ns[0]), 60e9, 6.2e9);
  EXPECT_NEAR(static_cast<double>(off_ns[1]), 120e9, 12.2e9);
  EXPECT_NEAR(static_cast<double>(off_ns[2]), 240e9, 24.2e9);
  world.functions["hot"].cost_share = 0.005;
  EXPECT_EQ(kinds(world.run(11)), std::vector{Kind::kRestore});
  EXPECT_TRUE(world.run(600).empty());
}

TEST(Governor, RestoresOnlyBelowTheBudget) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.6}}};
  world.run(1);
  world.run(100);  // on trial
  world.functions["hot"].cost_share = 0.009;
  EXPECT_EQ(kinds(world.run(11)), std::vector{Kind::kExempt}) << "hysteresis: 0.8 of the budget";
}

TEST(Governor, WhoIsOnTrialGoesFirst) {
  BudgetWorld world(0.01);
  world.functions = {{"old", {.cost_share = 0.007}}, {"new", {.cost_share = 0.5}}};
  world.run(1);
  world.run(100);
  world.functions["new"].cost_share = 0.006;  // cheaper than the other one, and too much beside it
  const auto steps = world.run(11);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].key, "new");
}

TEST(Governor, TrialsComeOneAtATime) {
  BudgetWorld world(0.01);
  world.functions = {{"a", {.cost_share = 0.5}}, {"b", {.cost_share = 0.5}}};
  EXPECT_EQ(world.run(1).size(), 2U);
  world.functions["a"].cost_share = world.functions["b"].cost_share = 0.001;
  EXPECT_EQ(kinds(world.run(100)), std::vector{Kind::kTry});
  EXPECT_EQ(kinds(world.run(100)), std::vector{Kind::kRestore});
  EXPECT_EQ(kinds(world.run(100)), std::vector{Kind::kTry});
}

TEST(Governor, ExemptsForErrorsWhatNoSwitchJudges) {
  BudgetWorld world(0.01);
  world.functions = {{"failing", {.error_ratio = 0.2}},
                     {"judged", {.error_ratio = 0.9, .judged_elsewhere = true}},
                     {"rare", {.error_ratio = 1, .calls_per_second = 5}}};
  const auto steps = world.run(60);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].key, "failing");
  EXPECT_EQ(steps[0].reason, "20 % of its calls failed, more than 15 %");
  EXPECT_TRUE(world.probed("judged"));
  EXPECT_TRUE(world.probed("rare")) << "below the minimum of calls";
}

TEST(Governor, AnotherBudgetBringsEverythingBack) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.05}}};
  world.run(1);
  EXPECT_FALSE(world.probed("hot"));
  world.governor().set_budgets({{"shop", 0.01}});
  EXPECT_FALSE(world.probed("hot")) << "the same budget";
  world.governor().set_budgets({{"shop", 0.1}});
  EXPECT_TRUE(world.probed("hot"));
  EXPECT_TRUE(world.run(60).empty());
}

TEST(Governor, SamplesBeforeItExempts) {
  BudgetWorld world(0.01);
  world.functions = {{"warm", {.cost_share = 0.013, .returns_part = 0.66}}, {"cold", {.cost_share = 0.001}}};
  const auto steps = world.run(60);
  ASSERT_EQ(kinds(steps), std::vector{Kind::kSample});
  EXPECT_EQ(steps[0].key, "warm");
  EXPECT_DOUBLE_EQ(steps[0].return_share, 0.25);
  EXPECT_EQ(steps[0].reason,
            "its probe took 1.3 % of the CPU time of shop, all probes took 1.4 % of a budget of 1 %; the return of one "
            "call in 4 is seen");
  EXPECT_TRUE(world.probed("warm"));
  EXPECT_TRUE(world.run(600).empty()) << "it fits, and more returns would not";
}

TEST(Governor, ExemptsWhatEntriesAloneMakeTooDear) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.6, .returns_part = 0.66}},
                     {"warm", {.cost_share = 0.006, .returns_part = 0.66}}};
  const auto steps = world.step();
  ASSERT_EQ(kinds(steps), std::vector{Kind::kExempt});
  EXPECT_EQ(steps[0].key, "hot");
  EXPECT_EQ(world.level_of("warm"), kSeesAll) << "without the hot one it fits as it is";
}

TEST(Governor, SeesMoreAgainWhenItsTimeIsOverAndItWouldFit) {
  BudgetWorld world(0.01);
  world.functions = {{"warm", {.cost_share = 0.023, .returns_part = 0.7}}};
  EXPECT_EQ(kinds(world.run(10)), std::vector{Kind::kSample});
  EXPECT_EQ(world.level_of("warm"), kSeesLeast);
  const std::int64_t since_ns = world.now_ns();
  world.functions["warm"].cost_share = 0.004;
  auto steps = world.run(200);
  ASSERT_EQ(kinds(steps), std::vector{Kind::kSampleMore});
  EXPECT_GT(world.now_ns() - since_ns, 53 * kNsPerSecond);
  EXPECT_DOUBLE_EQ(steps[0].return_share, 0.25);
  steps = world.run(200);
  ASSERT_EQ(kinds(steps), std::vector{Kind::kSampleMore});
  EXPECT_DOUBLE_EQ(steps[0].return_share, 1);
  EXPECT_TRUE(world.run(600).empty());
}

TEST(Governor, WhatWasExemptComesBackWithFewReturns) {
  BudgetWorld world(0.01);
  world.functions = {{"hot", {.cost_share = 0.6, .returns_part = 0.66}}};
  ASSERT_EQ(kinds(world.step()), std::vector{Kind::kExempt});
  world.functions["hot"].cost_share = 0.016;
  ASSERT_EQ(kinds(world.run(100)), std::vector{Kind::kTry});
  EXPECT_EQ(world.level_of("hot"), kSeesLeast);
  ASSERT_EQ(kinds(world.run(11)), std::vector{Kind::kRestore}) << "all of its returns would be too dear";
  EXPECT_EQ(world.level_of("hot"), kSeesLeast);
  const auto steps = world.run(600);
  ASSERT_EQ(kinds(steps), std::vector{Kind::kSampleMore});
  EXPECT_DOUBLE_EQ(steps[0].return_share, 0.25);
  EXPECT_TRUE(world.run(600).empty());
}

TEST(Governor, WaitsLongerForMoreReturnsEachTimeTheyWereTooDear) {
  BudgetWorld world(0.01);
  world.functions = {{"waves", {.cost_share = 0.015, .returns_part = 0.66}}};
  std::vector<std::int64_t> sampled_ns;
  for (int i = 0; i < 3; ++i) {
    world.functions["waves"].cost_share = 0.015;
    ASSERT_EQ(kinds(world.run(20)), std::vector{Kind::kSample});
    const std::int64_t since_ns = world.now_ns();
    world.functions["waves"].cost_share = 0.004;
    ASSERT_EQ(kinds(world.run(1000)), std::vector{Kind::kSampleMore});
    sampled_ns.push_back(world.now_ns() - since_ns);
  }
  EXPECT_GT(sampled_ns[1], 3 * sampled_ns[0] / 2);
  EXPECT_GT(sampled_ns[2], 3 * sampled_ns[1] / 2);
}

TEST(Governor, FuseOpensWhereHitsTakeTooLong) {
  BudgetWorld world(0.01);
  world.functions = {{"recommend", {.cost_share = 0.001}}, {"pay", {.cost_share = 0.001}}};
  world.handling_ns = 60'000;
  auto steps = world.run(1);
  ASSERT_EQ(kinds(steps), std::vector{Kind::kFuseOpen});
  EXPECT_EQ(steps[0].reason, "handling a hit takes 60 us, more than 50 us");
  EXPECT_FALSE(world.probed("recommend"));
  EXPECT_FALSE(world.probed("pay"));
  EXPECT_EQ(kinds(world.run(70)), std::vector{Kind::kFuseTry});
  EXPECT_TRUE(world.probed("pay"));
  EXPECT_EQ(kinds(world.run(1)), std::vector{Kind::kFuseOpen});
  EXPECT_EQ(kinds(world.run(140)), std::vector{Kind::kFuseTry});
  world.handling_ns = 45'000;
  EXPECT_EQ(kinds(world.run(11)), std::vector{Kind::kFuseOpen}) << "hysteresis";
  EXPECT_EQ(kinds(world.run(300)), std::vector{Kind::kFuseTry});
  world.handling_ns = 5'000;
  EXPECT_EQ(kinds(world.run(11)), std::vector{Kind::kFuseClose});
  EXPECT_TRUE(world.run(60).empty());
}

TEST(Governor, FewHitsBlowNoFuse) {
  BudgetWorld world(0.01);
  world.functions = {{"recommend", {.calls_per_second = 10}}};
  world.handling_ns = 1'000'000;
  EXPECT_TRUE(world.run(60).empty());
}

}  // namespace
}  // namespace raceguard::breaker
