// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using test::kFullPolicy;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string with_serialize(const std::string& serialize) {
  return "apiVersion: raceguard/v1\n"
         "policies:\n"
         "  - name: a\n"
         "    target: {exe: x}\n"
         "    functions: [{name: put, symbol: \"Table::put*\", binary: \"*/libt.so\"}, {symbol: get}]\n"
         "    watch: {auto: true}\n"
         "    switches:\n"
         "      - name: s\n"
         "        open_when: {proven_races: 1}\n"
         "        serialize: " +
         serialize + "\n";
}

std::string error_of(const std::string& serialize) {
  const auto policy = decode(with_serialize(serialize));
  return policy ? "no error" : policy.error().to_string();
}

TEST(Serialize, EveryKey) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  const auto& serialize = policy->guards[0].switches[0].serialize;
  ASSERT_TRUE(serialize);
  EXPECT_EQ(serialize->wait_ns, 1'000'000);
  EXPECT_DOUBLE_EQ(serialize->budget, 0.2);
  ASSERT_EQ(serialize->parsed.size(), 2U);
  EXPECT_EQ(serialize->parsed[0].name, "pay");
  EXPECT_FALSE(serialize->parsed[0].is_reader);
  EXPECT_EQ(serialize->parsed[0].key.kind, RG_KEY_MEMBER);
  EXPECT_EQ(serialize->parsed[0].key.argument, 2);
  EXPECT_EQ(serialize->parsed[0].key.offset, 0x10U);
  EXPECT_EQ(serialize->parsed[0].key.bytes, 4);
  EXPECT_EQ(serialize->parsed[1].key.kind, RG_KEY_GLOBAL);
  EXPECT_EQ(serialize->parsed[1].key.global, "epoch");
  EXPECT_TRUE(serialize->parsed[1].is_reader);
  EXPECT_FALSE(policy->guards[0].switches[1].serialize);
}

TEST(Serialize, ANameStandsForTheFunctionsSymbolAndBinary) {
  const auto policy = decode(with_serialize("{functions: [put, get=read]}"));
  ASSERT_TRUE(policy) << policy.error().to_string();
  const auto& functions = policy->guards[0].switches[0].serialize->parsed;
  ASSERT_EQ(functions.size(), 2U);
  EXPECT_EQ(functions[0].name, "Table::put*");
  EXPECT_EQ(functions[0].binary, "*/libt.so");
  EXPECT_EQ(functions[1].name, "get");
  EXPECT_EQ(functions[1].binary, "exe");
  EXPECT_TRUE(functions[1].is_reader);
}

TEST(Serialize, OneFunctionNeedsNoBrackets) { EXPECT_EQ(error_of("{functions: put}"), "no error"); }

TEST(Serialize, FunctionsAreThoseOfThisPolicy) {
  EXPECT_THAT(error_of("{functions: [put, gett=read]}"),
              AllOf(HasSubstr("p.yaml:10:"), HasSubstr("serialize of switch \"s\" names function \"gett\""),
                    HasSubstr("did you mean \"get\"?")));
}

TEST(Serialize, RefusesWhatCannotBeDone) {
  EXPECT_THAT(error_of("{key: arg1}"), HasSubstr("no key \"functions\""));
  EXPECT_THAT(error_of("{functions: [put], key: arg7}"), HasSubstr("\"arg7\" for key, expected none, arg1 to"));
  EXPECT_THAT(error_of("{functions: [put@this]}"),
              AllOf(HasSubstr("p.yaml:10:"), HasSubstr("\"put@this\" for a function of serialize, expected NAME"),
                    HasSubstr("arg1 to arg6")));
  EXPECT_THAT(error_of("{functions: [\"=read\"]}"), HasSubstr("\"=read\" for a function of serialize"));
  EXPECT_THAT(error_of("{functions: [\"put[+0x10]\"]}"), HasSubstr("names function \"put[+0x10]\""));
  EXPECT_THAT(error_of("{functions: [put], wait: 6ms}"), HasSubstr("expected 1us to 5ms"));
  EXPECT_THAT(error_of("{functions: [put], budget: 0.01%}"), HasSubstr("expected 0.1% to 100%"));
  std::string many = "put";
  for (int i = 0; i < RG_SECTIONS_MAX; ++i) {
    many += ", put";
  }
  EXPECT_THAT(error_of("{functions: [" + many + "]}"), HasSubstr("17 functions in serialize, expected at most 16"));
}

}  // namespace
}  // namespace raceguard::policy
