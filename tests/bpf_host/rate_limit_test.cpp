// SPDX-License-Identifier: Apache-2.0
#include "bpf/rate_limit.h"

#include <gtest/gtest.h>

namespace {

constexpr rg_u64 kIntervalNs = 50'000'000;  // 20 a second

unsigned passed(rg_rate& rate, rg_u64 from_ns, rg_u64 to_ns, rg_u64 step_ns, rg_priority priority) {
  unsigned count = 0;
  for (rg_u64 now_ns = from_ns; now_ns < to_ns; now_ns += step_ns) {
    count += rg_rate_take(&rate, now_ns, kIntervalNs, priority) != 0 ? 1U : 0U;
  }
  return count;
}

TEST(RateLimit, ManyEventsGetTheRateAndABurst) {
  rg_rate rate{};
  const unsigned count = passed(rate, 1'000'000'000, 11'000'000'000, 100'000, RG_PRIORITY_LOCK);
  EXPECT_GE(count, 200U);
  EXPECT_LE(count, 204U);
}

TEST(RateLimit, FewEventsAllPass) {
  rg_rate rate{};
  EXPECT_EQ(passed(rate, 1'000'000'000, 11'000'000'000, 60'000'000, RG_PRIORITY_IDLE), 167U);
}

TEST(RateLimit, ALockThatIsHardlyKnownPassesWhereOthersMayNot) {
  rg_rate rate{};
  EXPECT_EQ(passed(rate, 1'000'000'000, 1'010'000'000, 100'000, RG_PRIORITY_LOCK), 4U);
  EXPECT_EQ(passed(rate, 1'010'000'000, 1'020'000'000, 100'000, RG_PRIORITY_IDLE), 0U);
  EXPECT_EQ(passed(rate, 1'020'000'000, 1'030'000'000, 100'000, RG_PRIORITY_FIRST), 60U);
}

TEST(RateLimit, WhatFirstOnesBorrowedIsPaidBack) {
  rg_rate rate{};
  EXPECT_EQ(passed(rate, 1'000'000'000, 1'010'000'000, 100'000, RG_PRIORITY_FIRST), 64U);
  EXPECT_EQ(passed(rate, 1'010'000'000, 4'000'000'000, 100'000, RG_PRIORITY_LOCK), 0U);
}

TEST(RateLimit, IntervalZeroForbidsAll) {
  rg_rate rate{};
  EXPECT_EQ(rg_rate_take(&rate, 1'000'000'000, 0, RG_PRIORITY_FIRST), 0);
}

}  // namespace
