// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/watch_rotation.h"

#include <gtest/gtest.h>

#include <map>

namespace raceguard::plan {
namespace {

constexpr std::int64_t kMs = 1'000'000;

WatchCandidate candidate(std::uint64_t address, WatchSource source = WatchSource::kGlobal) {
  return {.address = address, .length = 8, .source = source};
}

TEST(WatchRotation, NamedComeFirstThenChangedThenNew) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.offer(candidate(16, WatchSource::kChanged), 0);
  rotation.offer(candidate(24, WatchSource::kNamed), 0);
  EXPECT_EQ(rotation.take(0)->address, 24U);
  EXPECT_EQ(rotation.take(0)->address, 16U);
  EXPECT_EQ(rotation.take(0)->address, 8U);
  EXPECT_FALSE(rotation.take(0));
}

TEST(WatchRotation, WhatItsSourceSawSharedComesBeforeWhatOnlyChanged) {
  WatchRotation rotation;
  rotation.offer(candidate(8, WatchSource::kChanged), 0);
  rotation.offer({.address = 16, .length = 8, .source = WatchSource::kSampled, .shared = true}, 0);
  rotation.offer(candidate(24), 0);
  rotation.offer({.address = 24, .length = 8, .source = WatchSource::kSampled, .shared = true}, 1);
  EXPECT_EQ(rotation.take(1)->address, 16U);
  EXPECT_EQ(rotation.take(1)->address, 24U) << "a known one rises";
  EXPECT_EQ(rotation.take(1)->address, 8U);
}

TEST(WatchRotation, WhatIsCountedIsSeenEachSecond) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.offer(candidate(16, WatchSource::kNamed), 0);
  ASSERT_EQ(rotation.take(0)->address, 16U);
  rotation.take(0);
  for (int visit = 0; visit < 8; ++visit) {
    rotation.give_back(candidate(8), {.hits = 1, .threads = 2, .writes = true, .proven = true}, kMs, 0);
    rotation.wake(8, kMs);
    ASSERT_EQ(rotation.take(kMs)->address, 8U) << "it was to rest for longer";
  }
  rotation.give_back(candidate(8), {.hits = 1, .threads = 2, .writes = true, .proven = true, .wanted = true}, kMs, 0);
  EXPECT_FALSE(rotation.take(999 * kMs));
  ASSERT_TRUE(rotation.take(1000 * kMs));
  rotation.wake(8, 1000 * kMs);
  EXPECT_FALSE(rotation.take(1000 * kMs)) << "it is watched already";
  rotation.wake(4096, 0);
  EXPECT_EQ(rotation.coverage().candidates, 2U) << "what nobody offered is not taken in";
}

TEST(WatchRotation, WhatTwoThreadsTouchIsTakenAgainAtOnce) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.offer(candidate(16), 0);
  const auto shared = *rotation.take(0);
  rotation.give_back(shared, {.hits = 9, .threads = 2, .writes = true}, 50 * kMs, 50 * kMs);
  EXPECT_EQ(rotation.take(50 * kMs)->address, shared.address);
}

TEST(WatchRotation, WhatOneThreadTouchesRestsLongerEachTime) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  std::int64_t now = 0;
  std::int64_t last_rest = 0;
  for (int visit = 0; visit < 4; ++visit) {
    const auto taken = rotation.take(now);
    ASSERT_TRUE(taken) << visit;
    rotation.give_back(*taken, {.hits = 5, .threads = 1, .writes = true}, kMs, now);
    std::int64_t rest = kMs;
    while (!rotation.take(now + rest)) {
      rest *= 2;
    }
    EXPECT_GE(rest, last_rest);
    last_rest = rest;
    rotation.give_back(*taken, {.hits = 5, .threads = 1, .writes = true}, kMs, now + rest);
    now += 100'000 * kMs;
  }
}

TEST(WatchRotation, NothingStarvesBesideSharedOnes) {
  WatchRotation rotation;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    rotation.offer(candidate(i * 8), 0);
  }
  std::map<std::uint64_t, int> visits;
  std::int64_t now = 0;
  for (int i = 0; i < 400; ++i) {
    now += 10 * kMs;
    const auto taken = rotation.take(now);
    if (!taken) {
      continue;  // all rest
    }
    ++visits[taken->address];
    const bool shared = taken->address <= 32;  // four that are always worth it
    rotation.give_back(*taken, {.hits = 3, .threads = shared ? 2U : 1U, .writes = true}, 10 * kMs, now);
  }
  EXPECT_EQ(visits.size(), 40U);
  EXPECT_GT(visits[8], 2 * visits[320]);
}

TEST(WatchRotation, WhatTwoThreadsReadAndSomebodyChangesIsTakenAgainAtOnce) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.offer(candidate(16), 0);
  rotation.offer(candidate(8, WatchSource::kChanged), 0);
  const WatchOutcome read_by_two{.hits = 9, .threads = 2};
  const auto changed = *rotation.take(0);
  ASSERT_EQ(changed.address, 8U);
  EXPECT_GT(WatchRotation::dwell_ns(changed, read_by_two, false),
            WatchRotation::dwell_ns(candidate(16), read_by_two, false));
  rotation.give_back(changed, read_by_two, 50 * kMs, 50 * kMs);
  rotation.give_back(*rotation.take(50 * kMs), read_by_two, 50 * kMs, 50 * kMs);
  EXPECT_EQ(rotation.take(50 * kMs)->address, changed.address);
}

TEST(WatchRotation, SharedOnesRestBesideOthersButNoRegisterIsIdle) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  const WatchOutcome shared{.hits = 9, .threads = 2, .writes = true};
  for (int visit = 0; visit < 20; ++visit) {
    const auto taken = rotation.take(0);
    ASSERT_TRUE(taken) << "nothing else is there";
    rotation.give_back(*taken, shared, 500 * kMs, 0);
  }
  rotation.offer(candidate(16), 0);
  EXPECT_EQ(rotation.take(0)->address, 16U) << "it was fruitless often";
  EXPECT_EQ(rotation.take(0)->address, 8U);
}

TEST(WatchRotation, ASignOfLifeWakesWhatWasIdle) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.give_back(*rotation.take(0), {}, 25 * kMs, 25 * kMs);
  EXPECT_FALSE(rotation.take(26 * kMs));
  rotation.offer(candidate(8, WatchSource::kChanged), 27 * kMs);
  EXPECT_TRUE(rotation.take(28 * kMs));
}

TEST(WatchRotation, ASignOfLifeDoesNotWakeWhatIsAtomic) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.give_back(*rotation.take(0), {.hits = 7, .threads = 2, .harmless = true}, 25 * kMs, 25 * kMs);
  rotation.offer(candidate(8, WatchSource::kChanged), 27 * kMs);
  EXPECT_FALSE(rotation.take(28 * kMs));
}

TEST(WatchRotation, CoverageCountsWhatWasVisited) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.offer({.address = 16, .length = 4, .source = WatchSource::kGlobal}, 0);
  rotation.give_back(*rotation.take(0), {.hits = 7, .threads = 2, .writes = true}, 25 * kMs, 25 * kMs);
  EXPECT_EQ(rotation.coverage().candidates, 2U);
  EXPECT_EQ(rotation.coverage().visited, 1U);
  EXPECT_EQ(rotation.coverage().shared, 1U);
  EXPECT_EQ(rotation.coverage().bytes, 12U);
  EXPECT_EQ(rotation.coverage().visited_bytes, 8U);
  EXPECT_EQ(rotation.coverage().armed_ns, 25 * kMs);
}

TEST(WatchRotation, AWithdrawnOneIsNotTaken) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  rotation.withdraw(8);
  EXPECT_FALSE(rotation.take(0));
  EXPECT_EQ(rotation.coverage().candidates, 0U);
}

TEST(WatchRotation, AWithdrawnOneMayBeGivenBack) {
  WatchRotation rotation;
  rotation.offer(candidate(8), 0);
  const auto taken = *rotation.take(0);
  rotation.withdraw(8);
  rotation.give_back(taken, {}, kMs, kMs);
  EXPECT_FALSE(rotation.take(kMs * 100'000));
}

TEST(WatchRotation, ThereIsABound) {
  WatchRotation rotation(1);
  EXPECT_TRUE(rotation.offer(candidate(8), 0));
  EXPECT_FALSE(rotation.offer(candidate(16), 0));
}

TEST(WatchRotation, TheVisitLastsWhileItPromises) {
  const auto dwell = [](const WatchOutcome& outcome) { return WatchRotation::dwell_ns(candidate(8), outcome, false); };
  EXPECT_LT(dwell({}), dwell({.hits = 1, .threads = 1}));
  EXPECT_LT(dwell({.hits = 1, .threads = 1}), dwell({.hits = 2, .threads = 2, .writes = true}));
  EXPECT_EQ(dwell({.hits = 2, .threads = 2, .writes = true, .proven = true}), 0);
}

}  // namespace
}  // namespace raceguard::plan
