// SPDX-License-Identifier: Apache-2.0
#include "raceguard/abi/histogram.h"

#include <gtest/gtest.h>

namespace {

TEST(AbiHistogram, EveryFloorFallsIntoItsOwnBucketAndTheValueBelowIntoTheOneBefore) {
  for (rg_u32 bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
    const rg_u64 floor_ns = rg_histogram_floor_ns(bucket);
    EXPECT_EQ(rg_histogram_bucket(floor_ns), bucket);
    if (bucket > 0) {
      EXPECT_EQ(rg_histogram_bucket(floor_ns - 1), bucket - 1);
    }
  }
  EXPECT_EQ(rg_histogram_bucket(~rg_u64{0}), static_cast<rg_u32>(RG_HISTOGRAM_BUCKETS - 1));
}

TEST(AbiHistogram, Log2IsTheFloor) {
  EXPECT_EQ(rg_log2(1), 0U);
  EXPECT_EQ(rg_log2(0xffffffffULL), 31U);
  EXPECT_EQ(rg_log2(0x100000000ULL), 32U);
  EXPECT_EQ(rg_log2(~rg_u64{0}), 63U);
}

}  // namespace
