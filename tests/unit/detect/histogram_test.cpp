// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "daemon/detect/finding.h"

namespace raceguard::detect {
namespace {

void count(Histogram& histogram, std::uint64_t value_ns, std::uint64_t times = 1) {
  histogram.counts.at(rg_histogram_bucket(value_ns)) += times;
}

TEST(Histogram, AnEmptyOneHasNoQuantile) { EXPECT_EQ(Histogram{}.quantile_ns(0.99), 0); }

TEST(Histogram, AQuantileIsAtMostAQuarterAboveTheTrueValue) {
  Histogram histogram;
  count(histogram, 1'000'000, 98);
  count(histogram, 80'000'000, 2);
  const auto near = [](std::int64_t upper, std::int64_t truth) { return upper > truth && upper <= truth + truth / 4; };
  EXPECT_TRUE(near(histogram.quantile_ns(0.5), 1'000'000)) << histogram.quantile_ns(0.5);
  EXPECT_TRUE(near(histogram.quantile_ns(0.98), 1'000'000)) << histogram.quantile_ns(0.98);
  EXPECT_TRUE(near(histogram.quantile_ns(0.99), 80'000'000)) << histogram.quantile_ns(0.99);
  EXPECT_TRUE(near(histogram.quantile_ns(1), 80'000'000));
}

TEST(Histogram, AWaitOfMinutesFallsIntoTheOpenBucket) {
  Histogram histogram;
  count(histogram, 300'000'000'000);
  EXPECT_GE(histogram.quantile_ns(0.5), 7'500'000'000);
}

TEST(Histogram, SinceIsWhatWasAddedAndABucketThatShrankIsNew) {
  Histogram before;
  Histogram now;
  before.counts[3] = 10;
  before.counts[7] = 10;
  now.counts[3] = 14;
  now.counts[7] = 2;
  const Histogram added = now.since(before);
  EXPECT_EQ(added.counts[3], 4U);
  EXPECT_EQ(added.counts[7], 2U);
  EXPECT_EQ((before += added).total(), 26U);
}

}  // namespace
}  // namespace raceguard::detect
