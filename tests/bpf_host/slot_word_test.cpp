// SPDX-License-Identifier: Apache-2.0
#include "bpf/slot_word.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace raceguard::test {
namespace {

constexpr int kReader = 1;
constexpr int kWriter = 0;
constexpr rg_u32 kLargestTid = 4 * 1024 * 1024 - 1;
constexpr rg_patience kLimits{.wait_ns = 500'000, .lease_ns = 100'000'000};

TEST(SlotWord, AWriterIsAlone) {
  const rg_u64 taken = rg_slot_take(0, kLargestTid, kWriter);
  EXPECT_NE(taken, 0U);
  EXPECT_EQ(rg_slot_tid(taken), kLargestTid);
  EXPECT_EQ(rg_slot_number(taken), 1U);
  EXPECT_EQ(rg_slot_take(taken, 7, kWriter), 0U);
  EXPECT_EQ(rg_slot_take(taken, 7, kReader), 0U);
}

TEST(SlotWord, ReadersShareOneTenure) {
  const rg_u64 one = rg_slot_take(0, 7, kReader);
  const rg_u64 two = rg_slot_take(one, 8, kReader);
  EXPECT_EQ(rg_slot_number(one), rg_slot_number(two));
  EXPECT_EQ(rg_slot_tid(two), 8U);
  EXPECT_EQ(rg_slot_take(two, 9, kWriter), 0U);
  const rg_u64 left = rg_slot_leave(rg_slot_leave(two, rg_slot_number(two), kReader), rg_slot_number(two), kReader);
  EXPECT_EQ(left & RG_SLOT_TAKEN, 0U);
}

TEST(SlotWord, NoMoreReadersThanItCanCount) {
  rg_u64 word = 0;
  for (rg_u32 i = 0; i < 255; ++i) {
    word = rg_slot_take(word, i + 1, kReader);
    ASSERT_NE(word, 0U);
  }
  EXPECT_EQ(rg_slot_take(word, 256, kReader), 0U);
  EXPECT_EQ(word & RG_SLOT_WRITER, 0U);
}

TEST(SlotWord, AWaitingWriterKeepsNewReadersOut) {
  const rg_u64 wanted = rg_slot_take(0, 7, kReader) | RG_SLOT_WANTED;
  EXPECT_EQ(rg_slot_take(wanted, 8, kReader), 0U);
  const rg_u64 free = rg_slot_leave(wanted, rg_slot_number(wanted), kReader);
  EXPECT_EQ(rg_slot_take(free, 8, kReader), 0U) << "also of the slot that is free by now";
  EXPECT_EQ(rg_slot_take(free, 9, kWriter) & RG_SLOT_WANTED, 0U) << "he has what he wanted";
}

TEST(SlotWord, NobodyGivesBackWhatTheLeaseTookAway) {
  const rg_u64 first = rg_slot_take(0, 7, kWriter);
  const rg_u64 second = rg_slot_begin(first, 8, kWriter);
  EXPECT_EQ(rg_slot_leave(second, rg_slot_number(first), kWriter), second);
  EXPECT_NE(rg_slot_leave(second, rg_slot_number(second), kWriter), second);
}

TEST(SlotWord, TellsItsAgeByItsOwnStampOnly) {
  const rg_u64 word = rg_slot_take(0, 7, kWriter);
  const rg_u64 stamp = rg_slot_stamp(word, 5'000'000'000);
  EXPECT_NEAR(static_cast<double>(rg_slot_age_ns(word, stamp, 5'001'000'000)), 1e6, 2048);
  EXPECT_EQ(rg_slot_age_ns(rg_slot_begin(word, 8, kWriter), stamp, 5'001'000'000), 0U) << "the stamp of another tenure";
  EXPECT_EQ(rg_slot_age_ns(word, stamp, 4'999'000'000), 0U) << "the clock of another CPU";
}

TEST(SlotWord, PatienceEnds) {
  const rg_u64 writer = rg_slot_take(0, 7, kWriter);
  EXPECT_EQ(rg_slot_judge(writer, 0, 0, &kLimits), RG_SLOT_WAIT);
  EXPECT_EQ(rg_slot_judge(writer, 400'000, 300'000, &kLimits), RG_SLOT_WAIT);
  EXPECT_EQ(rg_slot_judge(writer, 500'000, 500'000, &kLimits), RG_SLOT_OPEN_TIME_OUT);
  EXPECT_EQ(rg_slot_judge(writer, 600'000, 0, &kLimits), RG_SLOT_OPEN_LATE);
  EXPECT_EQ(rg_slot_judge(writer, 100'000'000, 0, &kLimits), RG_SLOT_BREAK);
}

TEST(SlotWord, ReadersThatRelieveEachOtherAreNotLate) {
  const rg_u64 readers = rg_slot_take(0, 7, kReader);
  EXPECT_EQ(rg_slot_judge(readers, 200'000'000, 0, &kLimits), RG_SLOT_WAIT);
  EXPECT_EQ(rg_slot_judge(readers, 200'000'000, 500'000, &kLimits), RG_SLOT_BREAK);
  EXPECT_EQ(rg_slot_judge(readers, 50'000'000, 500'000, &kLimits), RG_SLOT_OPEN_TIME_OUT);
}

TEST(SlotWord, AfterWaitsInVainOnlyNowAndThenOneMore) {
  EXPECT_FALSE(rg_slot_is_hopeless(RG_STRIKES - 1));
  unsigned tried = 0;
  for (rg_u64 strikes = RG_STRIKES; strikes < RG_STRIKES + 10 * RG_STRIKES_TRY; ++strikes) {
    tried += rg_slot_is_hopeless(strikes) ? 0U : 1U;
  }
  EXPECT_EQ(tried, 10U);
}

TEST(SlotWord, FramesOfTheSameStackOnly) {
  EXPECT_TRUE(rg_frame_is_gone(0x7000, 0x7000));
  EXPECT_TRUE(rg_frame_is_gone(0x7000, 0x8000));
  EXPECT_FALSE(rg_frame_is_gone(0x8000, 0x7000));
  EXPECT_FALSE(rg_frame_is_gone(0x8000, 0x7f0000000000)) << "a signal's or a coroutine's stack";
}

TEST(SlotWord, ObjectsSpreadOverSlots) {
  std::vector<unsigned> seen(RG_SLOTS);
  for (rg_u64 i = 0; i < 4 * RG_SLOTS; ++i) {
    ++seen[rg_slot_of_key(0x7f1200000000 + i * 64)];
  }
  EXPECT_LT(*std::max_element(seen.begin(), seen.end()), 20U);
}

// Whatever a few threads do in whatever order: never a writer beside anyone of the same tenure, never a count left
// over.
TEST(SlotWord, RandomTakesAndLeavesKeepCount) {
  std::mt19937 random(20261123);
  struct Holder {
    bool has = false;
    int reader = 0;
    rg_u32 number = 0;
  };
  std::vector<Holder> holders(6);
  rg_u64 word = 0;
  for (int turn = 0; turn < 100'000; ++turn) {
    Holder& holder = holders[random() % holders.size()];
    if (holder.has) {
      word = rg_slot_leave(word, holder.number, holder.reader);
      holder.has = false;
    } else if (const int reader = static_cast<int>(random() % 2); const rg_u64 next = rg_slot_take(word, 1, reader)) {
      word = next;
      holder = {true, reader, rg_slot_number(next)};
    } else if (random() % 50 == 0) {
      word = rg_slot_begin(word, 1, reader);
      holder = {true, reader, rg_slot_number(word)};
    }
    unsigned readers = 0;
    unsigned writers = 0;
    for (const Holder& each : holders) {
      const bool current = each.has && each.number == rg_slot_number(word);
      readers += current && each.reader == kReader ? 1U : 0U;
      writers += current && each.reader == kWriter ? 1U : 0U;
    }
    ASSERT_EQ(word & RG_SLOT_READERS, readers);
    ASSERT_EQ((word & RG_SLOT_WRITER) != 0, writers == 1);
    ASSERT_TRUE(writers == 0 || (writers == 1 && readers == 0));
  }
}

}  // namespace
}  // namespace raceguard::test
