// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/breaker/builders.h"

namespace raceguard::breaker {
namespace {

TEST(SlidingWindow, ByTimeForgetsWhatIsOlderThanItsDuration) {
  SlidingWindow window({.duration_ns = kNsPerSecond, .calls = 0});
  window.add(0, calls(10, 10));
  window.add(500 * kNsPerMs, calls(10));
  EXPECT_EQ(window.totals().slow, 10U);
  window.add(999 * kNsPerMs, calls(0));
  EXPECT_EQ(window.totals().slow, 10U);
  window.add(1000 * kNsPerMs, calls(0));
  EXPECT_EQ(window.totals().slow, 0U);
  EXPECT_EQ(window.totals().calls, 10U);
}

TEST(SlidingWindow, ByCallsKeepsTheFewestSlotsThatHoldThem) {
  SlidingWindow window({.duration_ns = 0, .calls = 100});
  window.add(0, calls(50, 50));
  for (std::int64_t tick = 1; tick <= 9; ++tick) {
    window.add(tick * kNsPerSecond * 3600, calls(10));
  }
  EXPECT_EQ(window.totals().calls, 140U) << "without the first slot there would be 90";
  window.add(10 * kNsPerSecond * 3600, calls(10));
  EXPECT_EQ(window.totals().calls, 100U);
  EXPECT_EQ(window.totals().slow, 0U);
}

TEST(SlidingWindow, ByCallsForgetsLockWaitsWhereNoCallsAreSeen) {
  SlidingWindow window({.duration_ns = 0, .calls = 100});
  window.add(0, waits(50, kNsPerSecond));
  for (std::int64_t tick = 1; tick <= 10; ++tick) {
    window.add(tick, waits(10, kNsPerUs));
  }
  EXPECT_EQ(window.totals().waits, 100U);
  EXPECT_LT(window.totals().lock_wait_quantile_ns(1), kNsPerMs);
}

TEST(SlidingWindow, TotalsAreTheSumOfTheYoungSamplesWithinOneSlot) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    SlidingWindow window({.duration_ns = kNsPerSecond, .calls = 0});
    std::vector<std::pair<std::int64_t, std::uint64_t>> all;
    std::int64_t now = 0;
    for (int step = 0; step < 200; ++step) {
      now += static_cast<std::int64_t>(random() % (50 * kNsPerMs));
      const std::uint64_t count = random() % 5;
      window.add(now, calls(count));
      all.emplace_back(now, count);
      std::uint64_t surely = 0;
      std::uint64_t possibly = 0;
      for (const auto& [time, value] : all) {
        surely += now - time < kNsPerSecond - kNsPerSecond / SlidingWindow::kSlots ? value : 0;
        possibly += now - time < kNsPerSecond ? value : 0;
      }
      ASSERT_GE(window.totals().calls, surely) << "round " << round << " step " << step;
      ASSERT_LE(window.totals().calls, possibly) << "round " << round << " step " << step;
    }
  }
}

TEST(Totals, QuantileIsWithinABucketOfTheExactOne) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 100; ++round) {
    Totals totals;
    std::vector<std::int64_t> values;
    for (int i = 0; i < 500; ++i) {
      values.push_back(static_cast<std::int64_t>(random() % (1ULL << (10 + random() % 20))) + 4);
      totals.add(waits(1, values.back()));
    }
    std::ranges::sort(values);
    const auto exact = static_cast<double>(values[494]);
    const auto estimate = static_cast<double>(totals.lock_wait_quantile_ns(0.99));
    EXPECT_GE(estimate, exact / 1.26) << "round " << round;
    EXPECT_LE(estimate, exact * 1.26) << "round " << round;
  }
}

TEST(Totals, RatiosOfNothingAreZeroAndNeverPassOne) {
  EXPECT_EQ(Totals{}.slow_ratio(), 0);
  EXPECT_EQ(Totals{}.lock_wait_quantile_ns(0.99), 0);
  Totals totals;
  totals.add(calls(2, 3, 5));
  EXPECT_EQ(totals.slow_ratio(), 1);
  EXPECT_EQ(totals.error_ratio(), 1);
}

}  // namespace
}  // namespace raceguard::breaker
