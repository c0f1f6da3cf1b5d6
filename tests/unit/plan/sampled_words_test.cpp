// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/sampled_words.h"

#include <gtest/gtest.h>

namespace raceguard::plan {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kStart = 1'000'000 * kMs;

TEST(SampledWords, WhatTwoThreadsTouchWithAWriteComesFirst) {
  SampledWords words;
  words.add(0x1000, 8, 1, true, kStart);
  words.add(0x2000, 8, 1, false, kStart);
  words.add(0x3000, 8, 1, false, kStart);
  words.add(0x3004, 4, 2, true, kStart);
  const auto taken = words.take(kStart);
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].address, 0x3000U);
  EXPECT_TRUE(taken[0].shared);
  EXPECT_EQ(taken[1].address, 0x1000U) << "written before only read";
  EXPECT_FALSE(taken[1].shared);
  EXPECT_EQ(taken[2].address, 0x2000U);
  EXPECT_EQ(words.words(), 3U);
  EXPECT_EQ(words.shared(), 1U);
}

TEST(SampledWords, OneThreadOrOnlyReadsAreNotShared) {
  SampledWords words;
  for (int i = 0; i < 3; ++i) {
    words.add(0x1000, 8, 1, true, kStart);
    words.add(0x2000, 8, i, false, kStart);
  }
  EXPECT_EQ(words.shared(), 0U);
}

TEST(SampledWords, TheLessLikelyOnesComeAFewASecond) {
  SampledWords words;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    words.add(0x1000 + 8 * i, 8, 1, true, kStart);
  }
  std::size_t taken = words.take(kStart).size();
  EXPECT_LE(taken, 8U);
  for (std::int64_t at = 1; at <= 1000; ++at) {
    taken += words.take(kStart + at * kMs).size();
  }
  EXPECT_GE(taken, 40U);
  EXPECT_LE(taken, 50U);
  words.add(0x9000'0000, 8, 1, true, kStart + 1000 * kMs);
  words.add(0x9000'0000, 8, 2, true, kStart + 1000 * kMs);
  ASSERT_EQ(words.take(kStart + 1000 * kMs).size(), 1U) << "a likely one does not wait behind them";
}

TEST(SampledWords, OfTheLessLikelyTheLatestComesFirst) {
  SampledWords words;
  for (std::uint64_t i = 0; i < 100; ++i) {
    words.add(0x1000 + 8 * i, 8, 1, true, kStart + static_cast<std::int64_t>(i));
  }
  words.add(0x1000, 8, 1, true, kStart + kMs);  // touched again
  const auto taken = words.take(kStart + kMs);
  ASSERT_GE(taken.size(), 2U);
  EXPECT_EQ(taken[0].address, 0x1000U);
  EXPECT_EQ(taken[1].address, 0x1000U + 8 * 99);
}

TEST(SampledWords, AWordIsOfferedOnceUntilItIsNewsAgain) {
  SampledWords words;
  words.add(0x1000, 8, 1, true, kStart);
  EXPECT_EQ(words.take(kStart).size(), 1U);
  words.add(0x1000, 8, 1, true, kStart + 100 * kMs);
  EXPECT_TRUE(words.take(kStart + 100 * kMs).empty());
  words.add(0x1000, 8, 2, false, kStart + 200 * kMs);
  const auto shared = words.take(kStart + 200 * kMs);
  ASSERT_EQ(shared.size(), 1U) << "a second thread is news";
  EXPECT_TRUE(shared[0].shared);
  words.add(0x1000, 8, 2, false, kStart + 5000 * kMs);
  EXPECT_EQ(words.take(kStart + 5000 * kMs).size(), 1U) << "still touched later";
}

TEST(SampledWords, AWideAccessTouchesAllItsWords) {
  SampledWords words;
  words.add(0x1004, 16, 1, true, kStart);
  EXPECT_EQ(words.words(), 3U);
}

TEST(SampledWords, AFullTableForgetsWhatIsOldAndCountsWhatIsLost) {
  SampledWords words(4);
  for (std::uint64_t i = 0; i < 6; ++i) {
    words.add(8 * i, 8, 1, true, kStart);
  }
  EXPECT_EQ(words.lost(), 2U);
  EXPECT_EQ(words.take(kStart).size(), 4U);
  words.add(0x1000, 8, 1, true, kStart + 60'000 * kMs);
  EXPECT_EQ(words.lost(), 2U);
  ASSERT_EQ(words.take(kStart + 60'000 * kMs).size(), 1U);
}

TEST(SampledWords, WhatWaitsTooLongIsForgottenToo) {
  SampledWords words(4);
  for (std::uint64_t i = 0; i < 4; ++i) {
    words.add(8 * i, 8, 1, true, kStart);
  }
  words.add(0x1000, 8, 1, true, kStart + 60'000 * kMs);
  EXPECT_EQ(words.lost(), 0U);
  const auto taken = words.take(kStart + 60'000 * kMs);
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].address, 0x1000U);
}

}  // namespace
}  // namespace raceguard::plan
