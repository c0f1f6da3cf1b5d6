// SPDX-License-Identifier: Apache-2.0
// Every transition, one test each, on virtual time.
#include "daemon/breaker/breaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {
namespace {

using testing::HasSubstr;

Breaker opened(const policy::SwitchPolicy& policy) {
  Breaker breaker(policy, 1);
  EXPECT_TRUE(breaker.tick(at_ms(0), calls(10, 10), true));
  return breaker;
}

TEST(Transitions, NoStateAndEventHaveTwoResults) {
  for (std::size_t i = 0; i < kTransitions.size(); ++i) {
    for (std::size_t j = i + 1; j < kTransitions.size(); ++j) {
      EXPECT_FALSE(kTransitions[i].from == kTransitions[j].from && kTransitions[i].event == kTransitions[j].event);
    }
  }
  EXPECT_EQ(next_state(State::kOpen, Event::kThresholdReached), std::nullopt);
}

TEST(Breaker, StaysClosedBelowTheMinimumOfCalls) {
  Breaker breaker(slow_policy(), 1);
  EXPECT_FALSE(breaker.tick(at_ms(0), calls(9, 9), true));
  const auto decision = breaker.tick(at_ms(100), calls(1), true);
  ASSERT_TRUE(decision) << "the tenth call makes nine slow ones count";
  EXPECT_EQ(decision->evidence.at(0).samples, 10U);
}

TEST(Breaker, OpensWithItsEvidence) {
  Breaker breaker(slow_policy(), 1);
  const auto decision = breaker.tick(at_ms(0), calls(10, 5), true);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->switch_name, "s");
  EXPECT_EQ(decision->from, State::kClosed);
  EXPECT_EQ(decision->to, State::kOpen);
  EXPECT_TRUE(decision->enforced);
  EXPECT_EQ(decision->actor, "breaker");
  EXPECT_EQ(decision->reason, "slow_ratio 50 % reached 50 % in 10 calls");
  EXPECT_EQ(decision->evidence.at(0).what, "slow_ratio");
  EXPECT_EQ(decision->evidence.at(0).threshold, 0.5);
  EXPECT_EQ(decision->generation, 1U);
  EXPECT_EQ(decision->allow_share, 0);
  EXPECT_EQ(decision->next_change_ns, at_ms(1000).monotonic_ns);
}

TEST(Breaker, OpensByErrorsAndByLockWaits) {
  policy::SwitchPolicy by_errors = slow_policy();
  by_errors.open_error_ratio = 0.15;
  EXPECT_THAT(Breaker(by_errors, 1).tick(at_ms(0), calls(100, 0, 15), true).value().reason, HasSubstr("error_ratio"));

  Breaker by_locks(lock_policy(), 1);
  EXPECT_FALSE(by_locks.tick(at_ms(0), waits(9, 100 * kNsPerMs), true)) << "below minimum_waits";
  EXPECT_THAT(by_locks.tick(at_ms(1), waits(1, 100 * kNsPerMs), true).value().reason,
              HasSubstr("lock_wait_p99 100 ms reached 20 ms in 10 lock waits"));
}

TEST(Breaker, TriesAfterItsTimeOpenAndNotBefore) {
  Breaker breaker = opened(slow_policy());
  EXPECT_FALSE(breaker.tick(at_ms(999), calls(100, 100), true));
  const auto decision = breaker.tick(at_ms(1000), calls(0), true);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->to, State::kHalfOpen);
  EXPECT_EQ(decision->allow_share, 0.1);
  EXPECT_EQ(decision->next_change_ns, at_ms(3000).monotonic_ns);
}

TEST(Breaker, PassedTrialClosesAndForgetsWhatOpenedIt) {
  Breaker breaker = opened(slow_policy());
  ASSERT_TRUE(breaker.tick(at_ms(1000), calls(0), true));
  EXPECT_FALSE(breaker.tick(at_ms(1100), calls(4), true)) << "four of five trial calls";
  const auto decision = breaker.tick(at_ms(1200), calls(1), true);
  ASSERT_TRUE(decision);
  EXPECT_EQ(decision->to, State::kClosed);
  EXPECT_EQ(decision->generation, 3U);
  EXPECT_FALSE(breaker.tick(at_ms(1300), calls(9, 4), true));
}

TEST(Breaker, TrialIsHeldToTheStricterThreshold) {
  Breaker breaker = opened(slow_policy());
  ASSERT_TRUE(breaker.tick(at_ms(1000), calls(0), true));
  const auto decision = breaker.tick(at_ms(1100), calls(10, 3), true);
  ASSERT_TRUE(decision) << "0.3 is below the 0.5 that opens and above the 0.2 that closes";
  EXPECT_EQ(decision->to, State::kOpen);
  EXPECT_THAT(decision->reason, HasSubstr("trial failed: slow_ratio 30 % reached 20 %"));
}

TEST(Breaker, EachFailedTrialDoublesTheTimeOpenUpToTheLongest) {
  policy::SwitchPolicy policy = slow_policy();
  policy.open_for_max_ns = 5 * kNsPerSecond;
  Breaker breaker = opened(policy);
  for (const std::int64_t expected_ms : {2000, 4000, 5000, 5000}) {
    const Instant end{.monotonic_ns = breaker.next_change_ns(), .realtime_ns = 0};
    ASSERT_EQ(breaker.tick(end, calls(0), true).value().to, State::kHalfOpen);
    const auto failed = breaker.tick(end, calls(5, 5), true);
    EXPECT_EQ(failed.value().next_change_ns - end.monotonic_ns, expected_ms * kNsPerMs);
  }
}

TEST(Breaker, DeadlineDecidesByWhatThereIs) {
  Breaker bad = opened(slow_policy());
  ASSERT_TRUE(bad.tick(at_ms(1000), calls(0), true));
  EXPECT_FALSE(bad.tick(at_ms(2999), calls(1, 1), true));
  EXPECT_EQ(bad.tick(at_ms(3000), calls(0), true).value().to, State::kOpen);

  Breaker good = opened(slow_policy());
  ASSERT_TRUE(good.tick(at_ms(1000), calls(0), true));
  EXPECT_FALSE(good.tick(at_ms(2999), calls(1), true));
  EXPECT_EQ(good.tick(at_ms(3000), calls(0), true).value().to, State::kClosed);
}

TEST(Breaker, TrialWithoutCallsClosesAtTheDeadlineButKeepsTheBackOff) {
  Breaker breaker = opened(slow_policy());
  ASSERT_TRUE(breaker.tick(at_ms(1000), calls(0), true));
  ASSERT_EQ(breaker.tick(at_ms(1000), calls(5, 5), true).value().to, State::kOpen);
  ASSERT_EQ(breaker.tick(at_ms(3000), calls(0), true).value().to, State::kHalfOpen);
  const auto closed = breaker.tick(at_ms(5000), calls(0), true);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->to, State::kClosed);
  EXPECT_THAT(closed->reason, HasSubstr("no trial call"));
  const auto again = breaker.tick(at_ms(5100), calls(10, 10), true);
  EXPECT_EQ(again.value().next_change_ns, at_ms(5100 + 2000).monotonic_ns) << "no call has shown that it is well";
}

TEST(Breaker, LockTrialFailsAsSoonAsThereAreEnoughWaitsAndPassesAtTheDeadline) {
  Breaker bad(lock_policy(), 1);
  ASSERT_TRUE(bad.tick(at_ms(0), waits(10, 100 * kNsPerMs), true));
  ASSERT_TRUE(bad.tick(at_ms(1000), {}, true));
  EXPECT_EQ(bad.tick(at_ms(1100), waits(10, 15 * kNsPerMs), true).value().to, State::kOpen);

  Breaker good(lock_policy(), 1);
  ASSERT_TRUE(good.tick(at_ms(0), waits(10, 100 * kNsPerMs), true));
  ASSERT_TRUE(good.tick(at_ms(1000), {}, true));
  EXPECT_FALSE(good.tick(at_ms(1100), waits(10, kNsPerMs), true));
  EXPECT_EQ(good.tick(at_ms(3000), {}, true).value().to, State::kClosed);
}

TEST(Breaker, FlappingStaysOpenLongest) {
  policy::SwitchPolicy policy = slow_policy();
  policy.flap_openings = 3;
  Breaker breaker(policy, 1);
  Instant now = at_ms(0);
  for (int opening = 1; opening <= 3; ++opening) {
    const auto open = breaker.tick(now, calls(10, 10), true);
    ASSERT_TRUE(open);
    EXPECT_EQ(open->flapping, opening == 3);
    EXPECT_EQ(open->next_change_ns - now.monotonic_ns, opening == 3 ? policy.open_for_max_ns : policy.open_for_ns);
    now.monotonic_ns = breaker.next_change_ns();
    ASSERT_TRUE(breaker.tick(now, calls(0), true));
    ASSERT_EQ(breaker.tick(now, calls(5), true).value().to, State::kClosed);
  }
}

TEST(Breaker, OpeningsFarApartAreNoFlapping) {
  policy::SwitchPolicy policy = slow_policy();
  policy.flap_openings = 2;
  policy.flap_window_ns = 10 * kNsPerSecond;
  Breaker breaker = opened(policy);
  ASSERT_TRUE(breaker.tick(at_ms(1000), calls(0), true));
  ASSERT_TRUE(breaker.tick(at_ms(1000), calls(5), true));
  EXPECT_FALSE(breaker.tick(at_ms(10001), calls(10, 10), true).value().flapping);
}

TEST(Breaker, ObserveGoesThroughEveryStateAndEnforcesNone) {
  policy::SwitchPolicy policy = slow_policy();
  policy.mode = policy::SwitchMode::kObserve;
  Breaker breaker(policy, 1);
  const auto open = breaker.tick(at_ms(0), calls(10, 10), false);
  ASSERT_TRUE(open) << "the cap is for switches that are really open";
  EXPECT_EQ(open->to, State::kOpen);
  EXPECT_FALSE(open->enforced);
  EXPECT_FALSE(breaker.occupies());
  EXPECT_EQ(breaker.counts().openings_observed, 1U);
  EXPECT_EQ(breaker.counts().openings_enforced, 0U);
  EXPECT_FALSE(breaker.tick(at_ms(1000), calls(100), true).value().enforced);
  EXPECT_EQ(breaker.tick(at_ms(1100), calls(100), true).value().to, State::kClosed);
}

TEST(Breaker, ForceWinsOverEvidenceAndEndsByItsTimeToLive) {
  Breaker breaker(slow_policy(), 1);
  const Decision forced = breaker.force(at_ms(0), State::kClosed, "uid 0 (root)", "sale", 5 * kNsPerSecond);
  EXPECT_TRUE(forced.forced);
  EXPECT_EQ(forced.actor, "uid 0 (root)");
  EXPECT_EQ(forced.reason, "sale");
  EXPECT_FALSE(breaker.tick(at_ms(4999), calls(100, 100), true));
  const auto ended = breaker.tick(at_ms(5000), calls(0), true);
  ASSERT_TRUE(ended);
  EXPECT_FALSE(ended->forced);
  EXPECT_EQ(ended->to, State::kClosed);
  EXPECT_EQ(breaker.tick(at_ms(5100), calls(0), true).value().to, State::kOpen) << "the window went on meanwhile";
}

TEST(Breaker, ForcedOpenEndsInATrial) {
  Breaker breaker(slow_policy(), 1);
  EXPECT_EQ(breaker.force(at_ms(0), State::kOpen, "a", "b", 0).next_change_ns, 0);
  EXPECT_FALSE(breaker.tick(at_ms(1'000'000), calls(0), true)) << "until released";
  const auto released = breaker.release(at_ms(1'000'001), "a", "done");
  ASSERT_TRUE(released);
  EXPECT_EQ(released->to, State::kHalfOpen);
  EXPECT_FALSE(breaker.release(at_ms(1'000'002), "a", "again"));
}

TEST(Breaker, ForceInObserveIsEnforcedAndEndsClosed) {
  policy::SwitchPolicy policy = slow_policy();
  policy.mode = policy::SwitchMode::kObserve;
  Breaker breaker(policy, 1);
  EXPECT_TRUE(breaker.force(at_ms(0), State::kOpen, "a", "b", kNsPerSecond).enforced);
  const auto ended = breaker.tick(at_ms(1000), calls(0), true);
  EXPECT_EQ(ended.value().to, State::kClosed);
  EXPECT_FALSE(ended.value().enforced);
}

TEST(Breaker, ForceLeavesEveryStateAtOnce) {
  Breaker open = opened(slow_policy());
  EXPECT_EQ(open.force(at_ms(1), State::kClosed, "a", "b", 0).from, State::kOpen);
  Breaker half_open = opened(slow_policy());
  ASSERT_TRUE(half_open.tick(at_ms(1000), calls(0), true));
  EXPECT_EQ(half_open.force(at_ms(1001), State::kOpen, "a", "b", 0).from, State::kHalfOpen);
  EXPECT_EQ(half_open.state(), State::kOpen);
}

TEST(Breaker, HeldBackIsSaidOnceAndIsNoTransition) {
  Breaker breaker(slow_policy(), 1);
  const auto held = breaker.tick(at_ms(0), calls(10, 10), false);
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->held_back);
  EXPECT_FALSE(held->enforced);
  EXPECT_EQ(held->to, State::kClosed);
  EXPECT_EQ(held->generation, 0U);
  EXPECT_FALSE(breaker.tick(at_ms(100), calls(10, 10), false));
  EXPECT_EQ(breaker.counts().openings_held_back, 1U);
  EXPECT_EQ(breaker.tick(at_ms(200), calls(0), true).value().generation, 1U);
}

TEST(Breaker, ReloadKeepsStateAndWindowAndSaysWhenTheModeChanges) {
  Breaker closed(slow_policy(), 1);
  EXPECT_FALSE(closed.tick(at_ms(0), calls(9, 9), true));
  EXPECT_FALSE(closed.set_policy(at_ms(1), slow_policy()));
  EXPECT_TRUE(closed.tick(at_ms(2), calls(1), true)) << "nine calls were kept";

  policy::SwitchPolicy observe = slow_policy();
  observe.mode = policy::SwitchMode::kObserve;
  const auto lifted = closed.set_policy(at_ms(3), observe);
  ASSERT_TRUE(lifted);
  EXPECT_FALSE(lifted->enforced);
  const auto enforced = closed.set_policy(at_ms(4), slow_policy());
  ASSERT_TRUE(enforced);
  EXPECT_EQ(enforced->to, State::kClosed) << "an opening that was only observed has not passed the cap";
}

}  // namespace
}  // namespace raceguard::breaker
