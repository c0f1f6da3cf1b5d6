// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/breaker_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

policy::SwitchPolicy named(const std::string& name) {
  policy::SwitchPolicy policy = slow_policy();
  policy.name = name;
  return policy;
}

std::vector<std::string> opened_names(const std::vector<Decision>& decisions) {
  std::vector<std::string> names;
  for (const Decision& decision : decisions) {
    if (decision.to == State::kOpen) {
      names.push_back(decision.switch_name);
    }
  }
  return names;
}

TEST(BreakerSet, CapHoldsBackAndTheLongestHeldOpensWhenThereIsRoom) {
  BreakerSet set(1, 1);
  ASSERT_THAT(set.reload(at_ms(0), {named("a"), named("b"), named("c")}, 1), IsEmpty());
  EXPECT_THAT(opened_names(set.tick(at_ms(0), {{"a", calls(10, 10)}})), ElementsAre("a"));
  EXPECT_TRUE(set.tick(at_ms(100), {{"c", calls(10, 10)}}).at(0).held_back);
  EXPECT_TRUE(set.tick(at_ms(200), {{"b", calls(10, 10)}}).at(0).held_back);
  EXPECT_EQ(set.open_switches(), 1U);
  EXPECT_EQ(set.tick(at_ms(1000), {}).size(), 1U) << "a tries; half-open still counts";
  const auto decisions = set.tick(at_ms(1100), {{"a", calls(5)}});
  EXPECT_EQ(decisions.at(0).to, State::kClosed);
  EXPECT_THAT(opened_names(decisions), ElementsAre("c")) << "in the same tick as a makes room";
}

TEST(BreakerSet, ObservedOpeningsNeedNoRoomAndForcedOnesTakeIt) {
  BreakerSet set(1, 1);
  policy::SwitchPolicy observe = named("watched");
  observe.mode = policy::SwitchMode::kObserve;
  ASSERT_THAT(set.reload(at_ms(0), {observe, named("a"), named("b")}, 1), IsEmpty());
  EXPECT_EQ(set.tick(at_ms(0), {{"watched", calls(10, 10)}}).size(), 1U);
  EXPECT_EQ(set.open_switches(), 0U);
  ASSERT_TRUE(set.force(at_ms(1), "a", State::kOpen, "root", "why", 0));
  ASSERT_TRUE(set.force(at_ms(1), "b", State::kOpen, "root", "why", 0)) << "a person may pass the cap";
  EXPECT_EQ(set.open_switches(), 2U);
}

TEST(BreakerSet, ForceAndReleaseSayWhatIsWrong) {
  BreakerSet set(1, 1);
  ASSERT_THAT(set.reload(at_ms(0), {named("a")}, 1), IsEmpty());
  const auto unknown = set.force(at_ms(0), "b", State::kOpen, "root", "why", 0);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kSwitchUnknown);
  EXPECT_THAT(unknown.error().to_string(), HasSubstr("Known: a"));
  EXPECT_EQ(set.force(at_ms(0), "a", State::kHalfOpen, "root", "why", 0).error().code(), ErrorCode::kControlRequest);
  EXPECT_EQ(set.release(at_ms(0), "a", "root", "why").error().code(), ErrorCode::kControlRequest);
}

TEST(BreakerSet, ReloadClosesWhatIsGoneAndKeepsTheRest) {
  BreakerSet set(8, 1);
  ASSERT_THAT(set.reload(at_ms(0), {named("a"), named("b")}, 8), IsEmpty());
  ASSERT_EQ(set.tick(at_ms(0), {{"a", calls(10, 10)}, {"b", calls(10, 10)}}).size(), 2U);
  const auto decisions = set.reload(at_ms(1), {named("b"), named("c")}, 8);
  ASSERT_EQ(decisions.size(), 1U);
  EXPECT_EQ(decisions[0].switch_name, "a");
  EXPECT_EQ(decisions[0].to, State::kClosed);
  EXPECT_EQ(set.find("a"), nullptr);
  EXPECT_EQ(set.find("b")->state(), State::kOpen);
  EXPECT_EQ(set.find("c")->state(), State::kClosed);
}

}  // namespace
}  // namespace raceguard::breaker
