// SPDX-License-Identifier: Apache-2.0
// Thresholds on data races: different ones in the window open, none in the trial closes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {
namespace {

using ::testing::HasSubstr;

Sample races(std::vector<RaceId> proven, std::vector<RaceId> likely = {}) {
  Sample sample;
  sample.proven_races = std::move(proven);
  sample.likely_races = std::move(likely);
  return sample;
}

policy::SwitchPolicy race_policy(std::uint32_t proven) {
  policy::SwitchPolicy policy = slow_policy();
  policy.open_slow_ratio.reset();
  policy.close_slow_ratio.reset();
  policy.open_proven_races = proven;
  return policy;
}

TEST(Races, OneProvenRaceOpensWithoutAnyCall) {
  Breaker breaker(race_policy(1), 1);
  EXPECT_FALSE(breaker.tick(at_ms(0), {}, true));
  const auto decision = breaker.tick(at_ms(100), races({7}), true);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->to, State::kOpen);
  EXPECT_EQ(decision->reason, "proven_races 1 reached 1");
  ASSERT_EQ(decision->evidence.size(), 1U);
  EXPECT_EQ(decision->evidence[0].what, "proven_races");
  EXPECT_EQ(decision->evidence[0].value, 1);
}

TEST(Races, TheSameRaceAgainIsOneRace) {
  Breaker breaker(race_policy(2), 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(breaker.tick(at_ms(i * 100), races({7}), true)) << i;
  }
  EXPECT_TRUE(breaker.tick(at_ms(1000), races({8}), true));
}

TEST(Races, AreForgottenWithTheWindow) {
  Breaker breaker(race_policy(2), 1);
  EXPECT_FALSE(breaker.tick(at_ms(0), races({7}), true));
  EXPECT_FALSE(breaker.tick(at_ms(11'000), races({8}), true)) << "the window is 10 s";
  EXPECT_TRUE(breaker.tick(at_ms(11'100), races({7}), true));
}

TEST(Races, LikelyOnesAreCountedApart) {
  Breaker proven(race_policy(1), 1);
  EXPECT_FALSE(proven.tick(at_ms(0), races({}, {7, 8}), true));
  policy::SwitchPolicy policy = race_policy(1);
  policy.open_proven_races.reset();
  policy.open_likely_races = 2;
  Breaker likely(policy, 1);
  EXPECT_FALSE(likely.tick(at_ms(0), races({1, 2, 3}, {7}), true));
  EXPECT_TRUE(likely.tick(at_ms(100), races({}, {8}), true));
}

TEST(Races, AKnownRaceFailsTheTrialAndAQuietOneCloses) {
  Breaker breaker(race_policy(1), 1);
  ASSERT_TRUE(breaker.tick(at_ms(0), races({7}), true));
  ASSERT_TRUE(breaker.tick(at_ms(1000), {}, true));
  ASSERT_EQ(breaker.state(), State::kHalfOpen);
  const auto failed = breaker.tick(at_ms(1500), races({7}), true);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->to, State::kOpen);
  EXPECT_THAT(failed->reason, HasSubstr("trial failed: proven_races 1 reached 1"));
  ASSERT_TRUE(breaker.tick(at_ms(3500), {}, true)) << "open twice as long";
  ASSERT_EQ(breaker.state(), State::kHalfOpen);
  EXPECT_FALSE(breaker.tick(at_ms(5400), {}, true)) << "before the deadline nothing is known";
  const auto passed = breaker.tick(at_ms(5500), {}, true);
  ASSERT_TRUE(passed);
  EXPECT_EQ(passed->to, State::kClosed);
  EXPECT_THAT(passed->reason, HasSubstr("trial passed"));
}

TEST(Races, CallWindowsForgetThemToo) {
  policy::SwitchPolicy policy = race_policy(2);
  policy.window = {.duration_ns = 0, .calls = 40};
  Breaker breaker(policy, 1);
  EXPECT_FALSE(breaker.tick(at_ms(0), races({7}), true));
  for (int i = 1; i < 100; ++i) {
    EXPECT_FALSE(breaker.tick(at_ms(i), calls(1), true));
  }
  EXPECT_FALSE(breaker.tick(at_ms(200), races({8}), true));
}

}  // namespace
}  // namespace raceguard::breaker
