// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using test::kFullPolicy;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with_watch(const std::string& watch, const std::string& rest = {}) {
  return "apiVersion: raceguard/v1\npolicies:\n  - name: a\n    target: {exe: x}\n    contention: {enabled: false}\n" +
         rest + "    watch: " + watch + "\n";
}

std::string error_of(const std::string& text) {
  const auto policy = decode(text);
  return policy ? "no error" : policy.error().to_string();
}

TEST(Watch, EveryKey) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  const WatchGuard& watch = policy->guards[0].watch;
  EXPECT_TRUE(watch.automatic);
  ASSERT_EQ(watch.variables.size(), 2U);
  EXPECT_EQ(watch.variables[0].name, "config.counters[3].hits");
  EXPECT_EQ(watch.variables[0].guarded_by, "");
  EXPECT_EQ(watch.variables[1].name, "table.rows");
  EXPECT_EQ(watch.variables[1].guarded_by, "table_lock");
  ASSERT_EQ(watch.objects.size(), 1U);
  EXPECT_EQ(watch.objects[0].function, "recommend");
  EXPECT_EQ(watch.objects[0].argument, 1U);
  EXPECT_THAT(watch.objects[0].members, ElementsAre("balance", "stats.hits"));
  EXPECT_EQ(watch.hold_ns, 100'000);
  EXPECT_DOUBLE_EQ(watch.budget, 0.02);
  EXPECT_EQ(watch.suppressions, "/tmp/races.supp");
  EXPECT_EQ(watch.on_proven_race, OnProvenRace::kSerialize);
  EXPECT_EQ(watch.serialize_for_ns, 600'000'000'000);
  EXPECT_EQ(watch.serialize_wait_ns, 2'000'000);
  EXPECT_DOUBLE_EQ(watch.serialize_budget, 0.25);
  const SwitchPolicy& guard = policy->guards[0].switches[1];
  EXPECT_EQ(guard.open_proven_races, 2U);
  EXPECT_EQ(guard.close_proven_races, 1U);
  EXPECT_EQ(guard.open_likely_races, 5U);
  EXPECT_EQ(guard.close_likely_races, 4U);
}

TEST(Watch, IsEnoughForAPolicyAndMayNameOneVariable) {
  const auto policy = decode(with_watch("{variables: counter}"));
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards[0].watch.variables.size(), 1U);
  EXPECT_EQ(policy->guards[0].watch.variables[0].name, "counter");
  EXPECT_EQ(policy->guards[0].watch.variables[0].position.line, 6U);
  EXPECT_EQ(policy->guards[0].watch.variables[0].position.column, 24U);
  EXPECT_TRUE(policy->guards[0].watch.wanted());
}

TEST(Watch, IsNotWantedWithoutTheKey) { EXPECT_FALSE(Guard().watch.wanted()); }

TEST(Watch, RefusesWhatWouldLookAtNothing) {
  EXPECT_THAT(error_of(with_watch("{hold: 20us}")), HasSubstr("watch that looks at nothing"));
  EXPECT_THAT(error_of(with_watch("{variables: [{guarded_by: m}]}")), HasSubstr("no key \"name\""));
  EXPECT_THAT(error_of(with_watch("{variables: [[a]]}")), HasSubstr("a list for an entry of variables"));
  EXPECT_THAT(error_of(with_watch("{variables: [12]}")), HasSubstr("12 for name, expected a text"));
  EXPECT_THAT(error_of(with_watch("{auto: true, hold: 2ms}")), HasSubstr("expected 1us to 1ms"));
  EXPECT_THAT(error_of(with_watch("{auto: true, budget: 60%}")), HasSubstr("expected 0.01% to 50%"));
  EXPECT_THAT(error_of(with_watch("{auto: true, on_proven_race: serialise}")),
              HasSubstr("did you mean \"serialize\"?"));
  EXPECT_THAT(error_of(with_watch("{auto: true, serialize_for: 1ms}")), HasSubstr("expected 1s to 720h"));
  EXPECT_THAT(error_of(with_watch("{auto: true, serialize_wait: 6ms}")), HasSubstr("expected 1us to 5ms"));
  EXPECT_THAT(error_of(with_watch("{auto: true, serialize_budget: 0.01%}")), HasSubstr("expected 0.1% to 100%"));
  EXPECT_THAT(error_of(with_watch("{auto: true, suppressions: races.supp}")), HasSubstr("an absolute path"));
}

TEST(Watch, ObjectsNameFunctionsOfThisPolicyOnce) {
  const std::string functions = "    functions: [{name: withdraw, symbol: f}]\n";
  const auto objects = [&](const std::string& list) {
    return error_of(with_watch("{objects: " + list + "}", functions));
  };
  EXPECT_EQ(objects("[{function: withdraw, members: balance}]"), "no error");
  EXPECT_THAT(objects("[{function: withdrow, members: balance}]"), HasSubstr("did you mean \"withdraw\"?"));
  EXPECT_THAT(objects("[{function: withdraw, members: a}, {function: withdraw, members: b}]"),
              HasSubstr("\"withdraw\" again in objects"));
  EXPECT_THAT(objects("[{function: withdraw, argument: 6, members: a}]"), HasSubstr("expected 0 to 5"));
}

TEST(Watch, RaceThresholdsNeedIt) {
  const std::string text =
      "apiVersion: raceguard/v1\npolicies:\n  - name: a\n    target: {exe: x}\n"
      "    switches: [{name: s, open_when: {proven_races: 1, likely_races: 2}}]\n";
  EXPECT_THAT(error_of(text), HasSubstr("proven_races of switch \"s\" has nothing to judge, expected \"watch\""));
  EXPECT_THAT(error_of(text), HasSubstr("likely_races of switch \"s\" has nothing to judge"));
  EXPECT_EQ(error_of(text + "    watch: {auto: true}\n"), "no error");
}

TEST(Watch, ThresholdToCloseIsNotAboveTheOneToOpen) {
  const std::string switches =
      "    switches: [{name: s, open_when: {proven_races: 1}, close_when: {proven_races: 2}}]\n";
  EXPECT_THAT(error_of(with_watch("{auto: true}", switches)),
              HasSubstr("proven_races 2 in close_when is above the 1 in open_when"));
}

}  // namespace
}  // namespace raceguard::policy
