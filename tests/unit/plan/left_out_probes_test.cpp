// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/left_out_probes.h"

#include <gtest/gtest.h>

namespace raceguard::plan {
namespace {

FunctionProbe probe(std::uint32_t id, std::uint64_t site) {
  FunctionProbe result;
  result.function_id = id;
  result.guard = "shop";
  result.name = "recommend";
  result.symbol.name = "recommend";
  result.symbol.demangled = "recommend(int)";
  result.symbol.address = 0x1000;
  result.site.file_offset = site;
  return result;
}

const Error kRefusal(ErrorCode::kKernelAttach, "cannot attach uprobe to recommend(int): EINVAL");

TEST(LeftOutProbes, ArePlannedAsOmissionsWithTheReasonAndNotAsFunctions) {
  LeftOutProbes refused;
  refused.add(probe(3, 0x1004), kRefusal);
  ProbePlan plan;
  plan.functions = {probe(7, 0x1004), probe(8, 0x2000)};  // the next plan: another slot, the same place
  refused.leave_out(plan);
  ASSERT_EQ(plan.functions.size(), 1U);
  EXPECT_EQ(plan.functions[0].function_id, 8U);
  ASSERT_EQ(plan.omissions.size(), 1U);
  EXPECT_EQ(plan.omissions[0].guard, "shop");
  EXPECT_EQ(plan.omissions[0].what, "function recommend(int)");
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kKernelAttach);
  EXPECT_EQ(plan.omissions[0].reason, kRefusal.to_string());
}

TEST(LeftOutProbes, AreTriedAgainOnceCleared) {
  LeftOutProbes refused;
  refused.add(probe(3, 0x1004), kRefusal);
  EXPECT_FALSE(refused.empty());
  refused.clear();
  EXPECT_TRUE(refused.empty());
  ProbePlan plan;
  plan.functions = {probe(3, 0x1004)};
  refused.leave_out(plan);
  EXPECT_EQ(plan.functions.size(), 1U);
  EXPECT_TRUE(plan.omissions.empty());
}

TEST(LeftOutProbes, AllAreLeftOutEachWithItsOwnReason) {
  LeftOutProbes left_out;
  left_out.add(probe(3, 0x1004), kRefusal);
  left_out.add_all(Error(ErrorCode::kBudgetExceeded, "the fuse is open"));
  ProbePlan plan;
  plan.functions = {probe(7, 0x1004), probe(8, 0x2000)};
  left_out.leave_out(plan);
  EXPECT_TRUE(plan.functions.empty());
  ASSERT_EQ(plan.omissions.size(), 2U);
  EXPECT_EQ(plan.omissions[0].code, ErrorCode::kKernelAttach);
  EXPECT_EQ(plan.omissions[1].code, ErrorCode::kBudgetExceeded);
  left_out.clear();
  EXPECT_TRUE(left_out.empty());
}

TEST(LeftOutProbes, AnotherSiteOfTheSameFunctionIsAnotherProbe) {
  LeftOutProbes refused;
  refused.add(probe(3, 0x1004), kRefusal);
  ProbePlan plan;
  plan.functions = {probe(3, 0x1000)};
  refused.leave_out(plan);
  EXPECT_EQ(plan.functions.size(), 1U);
}

}  // namespace
}  // namespace raceguard::plan
