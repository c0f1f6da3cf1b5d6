// SPDX-License-Identifier: Apache-2.0
#include "bpf/tick.h"

#include <gtest/gtest.h>

namespace raceguard::test {
namespace {

constexpr rg_u64 kTick = 1'000'000'000;
constexpr rg_u64 kAhead = 100'000;

TEST(Tick, IsNearFromTheWindowBeforeItOn) {
  EXPECT_EQ(rg_tick_is_near(kTick, kTick - kAhead - 1, kAhead), 0);
  EXPECT_EQ(rg_tick_is_near(kTick, kTick - kAhead, kAhead), 1);
  EXPECT_EQ(rg_tick_is_near(kTick, kTick, kAhead), 1);
}

TEST(Tick, ALateOneIsWaitedForAndOneThatDoesNotComeIsNot) {
  EXPECT_EQ(rg_tick_is_near(kTick, kTick + RG_TICK_LATE_NS, kAhead), 1);
  EXPECT_EQ(rg_tick_is_near(kTick, kTick + RG_TICK_LATE_NS + 1, kAhead), 0);
}

TEST(Tick, OneThatIsNotKnownIsNotNear) {
  EXPECT_EQ(rg_tick_is_near(0, 0, kAhead), 0);
  EXPECT_EQ(rg_tick_is_near(0, 50, kAhead), 0);
}

TEST(Tick, NoWindowIsNoWait) { EXPECT_EQ(rg_tick_is_near(kTick, kTick + 1, 0), 0); }

}  // namespace
}  // namespace raceguard::test
