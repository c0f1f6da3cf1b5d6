// SPDX-License-Identifier: Apache-2.0
#include "bpf/hold_word.h"

#include <gtest/gtest.h>

#include "bpf/last_access.h"

namespace raceguard::test {
namespace {

constexpr rg_u32 kLargestTid = 4 * 1024 * 1024 - 1;

TEST(HoldWord, KeepsItsPartsApart) {
  const rg_u64 word = rg_hold_word(5, kLargestTid) + 3 * RG_HOLD_OVERLAP + 2 * RG_HOLD_REPORTED;
  EXPECT_EQ(rg_hold_tid(word), kLargestTid);
  EXPECT_EQ(rg_hold_overlaps(word), 3U);
  EXPECT_EQ(rg_hold_reported(word), 2U);
  EXPECT_TRUE(rg_hold_same(word, rg_hold_word(5, kLargestTid)));
  EXPECT_FALSE(rg_hold_same(word, rg_hold_word(6, kLargestTid)));
  EXPECT_FALSE(rg_hold_same(word, rg_hold_word(5, 1)));
}

TEST(HoldWord, PairsOfSlotsAndHoldsDiffer) {
  EXPECT_NE(rg_hold_pair(rg_hold_word(1, 7), 0), rg_hold_pair(rg_hold_word(1, 7), 1));
  EXPECT_NE(rg_hold_pair(rg_hold_word(1, 7), 0), rg_hold_pair(rg_hold_word(2, 7), 0));
  EXPECT_EQ(rg_hold_pair(rg_hold_word(1, 7), 3), rg_hold_pair(rg_hold_word(1, 7) + RG_HOLD_OVERLAP, 3));
}

TEST(HoldWord, OnlyAnotherThreadOverlapsAHoldThatIsKnown) {
  EXPECT_FALSE(rg_hold_is_overlapped(0, 8)) << "nobody is held";
  EXPECT_FALSE(rg_hold_is_overlapped(RG_HOLD_PREPARING, 8));
  EXPECT_FALSE(rg_hold_is_overlapped(rg_hold_word(1, 8), 8)) << "an update hits twice";
  EXPECT_TRUE(rg_hold_is_overlapped(rg_hold_word(1, 7), 8));
  EXPECT_FALSE(rg_hold_is_overlapped(rg_hold_word(1, 7) + RG_HOLD_MAX_OVERLAPS * RG_HOLD_OVERLAP, 8));
}

TEST(HoldWord, AHoldEndsAtItsTimeOrWithTheReport) {
  const rg_u64 word = rg_hold_word(1, 7);
  EXPECT_FALSE(rg_hold_is_over(word, 99, 100, 50));
  EXPECT_TRUE(rg_hold_is_over(word, 100, 100, 50));
  EXPECT_FALSE(rg_hold_is_over(word + RG_HOLD_OVERLAP, 120, 100, 50)) << "the report is awaited";
  EXPECT_TRUE(rg_hold_is_over(word + RG_HOLD_OVERLAP, 150, 100, 50)) << "but not for ever";
  EXPECT_TRUE(rg_hold_is_over(word + RG_HOLD_OVERLAP + RG_HOLD_REPORTED, 1, 100, 50));
  EXPECT_FALSE(rg_hold_is_over(word + 2 * RG_HOLD_OVERLAP + RG_HOLD_REPORTED, 1, 100, 50));
}

TEST(AccessModes, AreHarmlessOnlyAmongTheirLike) {
  EXPECT_FALSE(rg_modes_are_harmless(RG_ACCESS_MODE_UNKNOWN, RG_ACCESS_MODE_UNKNOWN));
  EXPECT_FALSE(rg_modes_are_harmless(RG_ACCESS_MODE_UNKNOWN, RG_ACCESS_MODE_READ));
  EXPECT_FALSE(rg_modes_are_harmless(RG_ACCESS_MODE_ATOMIC, RG_ACCESS_MODE_READ))
      << "a plain read beside an atomic write";
  EXPECT_TRUE(rg_modes_are_harmless(RG_ACCESS_MODE_READ, RG_ACCESS_MODE_READ));
  EXPECT_TRUE(rg_modes_are_harmless(RG_ACCESS_MODE_ATOMIC, RG_ACCESS_MODE_ATOMIC));
  EXPECT_TRUE(rg_modes_are_harmless(RG_ACCESS_MODE_ATOMIC, RG_ACCESS_MODE_ATOMIC_READ));
  EXPECT_TRUE(rg_modes_are_harmless(RG_ACCESS_MODE_ATOMIC_READ, RG_ACCESS_MODE_READ));
}

TEST(LastAccess, ALockIsBrokenOnlyBesideItsOwnersLastAccessUnderIt) {
  const rg_u64 last = rg_last_access(100, 5, 1U << 2);
  EXPECT_EQ(rg_last_tid(last), 100U);
  EXPECT_TRUE(rg_breaks_lock(last, 101, 2, 5));
  EXPECT_FALSE(rg_breaks_lock(last, 101, 1, 5)) << "not held by the last access";
  EXPECT_FALSE(rg_breaks_lock(last, 101, 2, 6)) << "another thread holds it now";
  EXPECT_FALSE(rg_breaks_lock(last, 100, 2, 5)) << "the owner itself";
  EXPECT_FALSE(rg_breaks_lock(0, 101, 0, 5)) << "nobody was here yet";
  EXPECT_TRUE(rg_breaks_lock(rg_last_access(kLargestTid, kLargestTid, 0x80), 1, 7, kLargestTid));
}

}  // namespace
}  // namespace raceguard::test
