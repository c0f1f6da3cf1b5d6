// SPDX-License-Identifier: Apache-2.0
#include "bpf/error_test.h"

#include <gtest/gtest.h>

namespace {

rg_function_config test_of(rg_error_test test, rg_s64 operand, rg_u8 bits, bool is_signed) {
  rg_function_config config{};
  config.error_test = static_cast<rg_u8>(test);
  config.error_operand = operand;
  config.return_bits = bits;
  config.return_signed = is_signed ? 1 : 0;
  return config;
}

bool fails(const rg_function_config& config, rg_u64 value) { return rg_is_error(&config, value) != 0; }

TEST(ReturnValue, BitsAboveTheWidthDoNotCount) {
  EXPECT_EQ(rg_return_value(0xdeadbeef000000ffULL, 8, 1), -1);
  EXPECT_EQ(rg_return_value(0xdeadbeef000000ffULL, 8, 0), 255);
  EXPECT_EQ(rg_return_value(0xdeadbeef0000fffeULL, 16, 1), -2);
  EXPECT_EQ(rg_return_value(0xdeadbeeffffffffeULL, 32, 1), -2);
  EXPECT_EQ(rg_return_value(0xdeadbeeffffffffeULL, 32, 0), 0xfffffffeLL);
  EXPECT_EQ(rg_return_value(~0ULL, 64, 1), -1);
}

TEST(ErrorTest, ComparesAsEachOperatorSays) {
  struct Row {
    rg_error_test test;
    bool below, equal, above;
  };
  for (const Row& row : {Row{RG_ERROR_NEVER, false, false, false}, Row{RG_ERROR_EQUAL, false, true, false},
                         Row{RG_ERROR_NOT_EQUAL, true, false, true}, Row{RG_ERROR_LESS, true, false, false},
                         Row{RG_ERROR_LESS_EQUAL, true, true, false}, Row{RG_ERROR_GREATER, false, false, true},
                         Row{RG_ERROR_GREATER_EQUAL, false, true, true}}) {
    for (const bool is_signed : {true, false}) {
      const rg_function_config config = test_of(row.test, 10, 32, is_signed);
      EXPECT_EQ(fails(config, 9), row.below) << row.test;
      EXPECT_EQ(fails(config, 10), row.equal) << row.test;
      EXPECT_EQ(fails(config, 11), row.above) << row.test;
    }
  }
}

TEST(ErrorTest, TheSignDecides) {
  EXPECT_TRUE(fails(test_of(RG_ERROR_LESS, 0, 32, true), 0xffffffffULL));
  EXPECT_FALSE(fails(test_of(RG_ERROR_LESS, 0, 32, false), 0xffffffffULL));
  EXPECT_TRUE(fails(test_of(RG_ERROR_EQUAL, -1, 32, false), 0xffffffffULL)) << "the operand is cut to the width too";
  EXPECT_TRUE(fails(test_of(RG_ERROR_GREATER, 1, 64, false), ~0ULL));
  EXPECT_FALSE(fails(test_of(RG_ERROR_GREATER, 1, 64, true), ~0ULL));
}

}  // namespace
