// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using test::kFullPolicy;
using ::testing::HasSubstr;

std::string with_bursts(const std::string& bursts) {
  return "apiVersion: raceguard/v1\npolicies:\n  - name: a\n    target: {exe: x}\n    contention: {enabled: false}\n"
         "    bursts: " +
         bursts + "\n";
}

std::string error_of(const std::string& bursts) {
  const auto policy = decode(with_bursts(bursts));
  return policy ? "no error" : policy.error().to_string();
}

TEST(Bursts, EveryKey) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_EQ(policy->guards[0].bursts, (BurstGuard{.enabled = true, .budget = 0.02, .interval_ns = 30'000'000'000}));
}

TEST(Bursts, AreOffUnlessSomebodyWantsThem) {
  EXPECT_FALSE(Guard().bursts.enabled);
  EXPECT_THAT(error_of("{budget: 1%}"), HasSubstr("watches nothing"));
}

TEST(Bursts, AreEnoughForAPolicy) { EXPECT_EQ(error_of("{enabled: true}"), "no error"); }

TEST(Bursts, RefuseValuesThatMakeNoSense) {
  EXPECT_THAT(error_of("{enabled: true, budget: 60%}"), HasSubstr("expected 0.01% to 50%"));
  EXPECT_THAT(error_of("{enabled: true, interval: 10ms}"), HasSubstr("expected 1s to"));
  EXPECT_THAT(error_of("{enabled: true, every: 10s}"), HasSubstr("every"));
}

}  // namespace
}  // namespace raceguard::policy
