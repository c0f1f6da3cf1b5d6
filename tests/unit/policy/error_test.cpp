// SPDX-License-Identifier: Apache-2.0
// Each class of error with its exact place and words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using ::testing::HasSubstr;

constexpr const char* kHead = "apiVersion: raceguard/v1\n";

std::string errors_of(const std::string& text) {
  const auto policy = decode(text);
  return policy ? "(valid)" : policy.error().to_string();
}

// A policy "a" with the lines given below it, which begin in line 5.
std::string in_guard(const std::string& lines) {
  return std::string(kHead) + "policies:\n  - name: a\n    target: {comm: a}\n" + lines;
}

// A switch "s" of policy "a"; the lines begin in line 8.
std::string in_switch(const std::string& lines) {
  return in_guard("    functions: [{name: f, symbol: f, slow: 1s}]\n    switches:\n      - name: s\n" + lines);
}
constexpr const char* kOpenWhen = "        functions: f\n        open_when: {slow_ratio: 50%}\n";  // lines 8 and 9

TEST(PolicyErrors, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(
      errors_of("apiVersion: raceguard/v1\npolcies: []\n"),
      "p.yaml:2:1: unknown key \"polcies\" in the file, expected one of apiVersion, daemon, policies; did you mean "
      "\"policies\"? [RG-P103]\n");
  EXPECT_EQ(errors_of(in_guard("    contention:\n      enabeld: true\n")),
            "p.yaml:6:7: unknown key \"enabeld\" in contention, expected one of enabled, stack_samples_per_second, "
            "budget; did you "
            "mean \"enabled\"? [RG-P103]\n");
}

TEST(PolicyErrors, UnknownKeyThatIsNearNothingSuggestsNothing) {
  EXPECT_EQ(
      errors_of("apiVersion: raceguard/v1\nzzzzzzzz: 1\n"),
      "p.yaml:2:1: unknown key \"zzzzzzzz\" in the file, expected one of apiVersion, daemon, policies [RG-P103]\n");
}

TEST(PolicyErrors, DuplicateKeyNamesBothPlaces) {
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon:\n  tick: 50ms\n  tick: 60ms\n"),
            "p.yaml:4:3: key \"tick\" again (before at p.yaml:3:3), expected each key once. Remove one of the two "
            "[RG-P104]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {tick: 50ms, \"tick\": 60ms}\n"),
            "p.yaml:2:22: key \"tick\" again (before at p.yaml:2:10), expected each key once. Remove one of the two "
            "[RG-P104]\n");
}

TEST(PolicyErrors, WrongUnit) {
  EXPECT_EQ(errors_of(in_guard("    functions:\n      - symbol: f\n        slow: 20 parsecs\n")),
            "p.yaml:7:15: \"20 parsecs\" for slow, expected a duration such as 20ms (units: ns, us, ms, s, m, h) "
            "[RG-P105]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {ring_size: 4MB}\n"),
            "p.yaml:2:21: \"4MB\" for ring_size, expected a size such as 4MiB (units: B, KiB, MiB, GiB); did you mean "
            "\"MiB\"? [RG-P105]\n");
}

TEST(PolicyErrors, BareNumberNamesTheUnits) {
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {tick: 20}\n"),
            "p.yaml:2:16: 20 without a unit for tick, expected a duration such as 20ms (units: ns, us, ms, s, m, h) "
            "[RG-P105]\n");
  EXPECT_EQ(errors_of(in_switch("        functions: f\n        open_when: {slow_ratio: 0.5}\n")),
            "p.yaml:9:33: 0.5 without a unit for slow_ratio, expected a ratio such as 5% (unit: %) [RG-P105]\n");
}

TEST(PolicyErrors, WrongKindOfValue) {
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {tick: [1s]}\n"),
            "p.yaml:2:16: a list for tick, expected a duration such as 20ms (units: ns, us, ms, s, m, h) [RG-P105]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: 5\n"),
            "p.yaml:2:9: 5 for daemon, expected a mapping of keys to values [RG-P105]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\npolicies:\n  name: a\n"),
            "p.yaml:3:3: a mapping for policies, expected a list of mappings [RG-P105]\n");
  EXPECT_EQ(errors_of("- a\n"), "p.yaml:1:1: a list for the file, expected a mapping of keys to values [RG-P105]\n");
  EXPECT_EQ(errors_of(in_guard("    contention: {enabled: yes}\n")),
            "p.yaml:5:27: \"yes\" for enabled, expected true or false [RG-P105]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {max_locks: 12.5}\n"),
            "p.yaml:2:21: 12.5 for max_locks, expected a whole number, 16 to 1048576 [RG-P105]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {control_group: 12}\n"),
            "p.yaml:2:25: 12 for control_group, expected a text; did you mean \"12\" in quotes? [RG-P105]\n");
  EXPECT_EQ(
      errors_of(in_guard("    functions: [{symbol: f, error_when: {returns: negative}}]\n")),
      "p.yaml:5:51: \"negative\" for returns, expected a comparison with a whole number such as \"< 0\" (signs: == "
      "!= < <= > >=) [RG-P105]\n");
}

TEST(PolicyErrors, WrongChoiceNamesTheNearest) {
  EXPECT_EQ(
      errors_of(in_switch(std::string(kOpenWhen) + "        mode: enforced\n")),
      "p.yaml:10:15: \"enforced\" for mode, expected one of observe, enforce; did you mean \"enforce\"? [RG-P105]\n");
}

TEST(PolicyErrors, OutOfRange) {
  EXPECT_EQ(errors_of(in_switch("        functions: f\n        open_when: {slow_ratio: 150%}\n")),
            "p.yaml:9:33: \"150%\" for slow_ratio, expected 0.01% to 100% [RG-P106]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        window: 0s\n")),
            "p.yaml:10:17: \"0s\" for window, expected 100ms to 1h [RG-P106]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        window: {calls: 0}\n")),
            "p.yaml:10:25: 0 for calls, expected 1 to 1000000 [RG-P106]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\ndaemon: {ring_size: 5MiB}\n"),
            "p.yaml:2:21: 5242880 bytes for ring_size, expected a power of two such as 8MiB [RG-P106]\n");
  EXPECT_EQ(
      errors_of("apiVersion: raceguard/v1\ndaemon: {heartbeat: 10ms}\n"),
      "p.yaml:2:21: heartbeat 10ms is below tick 100ms, expected the heartbeat to be as long as the tick or longer "
      "[RG-P106]\n");
}

TEST(PolicyErrors, ImpossiblePairs) {
  EXPECT_EQ(
      errors_of(in_switch(std::string(kOpenWhen) + "        close_when: {slow_ratio: 60%}\n")),
      "p.yaml:10:34: slow_ratio 60% in close_when is above the 50% in open_when, expected at most that [RG-P106]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        close_when: {error_ratio: 6%}\n")),
            "p.yaml:10:22: error_ratio in close_when but not in open_when, expected it in both or in open_when only "
            "[RG-P107]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        window: {duration: 1s, calls: 50}\n")),
            "p.yaml:10:32: both duration and calls for window, expected one [RG-P106]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        window: {calls: 5}\n        minimum_calls: 6\n")),
            "p.yaml:11:24: 6 for minimum_calls in a window of 5 calls, expected at most that [RG-P106]\n");
  EXPECT_EQ(errors_of(in_switch(std::string(kOpenWhen) + "        open_for: 2s\n        open_for_max: 1s\n")),
            "p.yaml:11:23: 1s for open_for_max is below open_for (2s), expected at least that [RG-P106]\n");
  EXPECT_EQ(
      errors_of(in_guard("    functions: [{symbol: f, error_when: {returns: \"< 0\", type: uint32}}]\n")),
      "p.yaml:5:51: a comparison with 0 for returns, expected one that an unsigned integer of 32 bits can pass and "
      "fail. Set \"type\" to the function's return type [RG-P106]\n");
}

TEST(PolicyErrors, MissingKeys) {
  EXPECT_EQ(errors_of("policies: []\n"),
            "p.yaml:1:1: no key \"apiVersion\" in the file, expected one of raceguard/v1 [RG-P109]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\npolicies:\n  - name: a\n"),
            "p.yaml:3:5: no key \"target\" in an entry of policies, expected a mapping of keys to values [RG-P109]\n");
  EXPECT_EQ(errors_of("apiVersion: raceguard/v1\npolicies:\n  - name: a\n    target: {users: {allow: alice}}\n"),
            "p.yaml:4:13: a target that every process matches, expected at least one of exe, comm, pid, systemd_unit, "
            "cgroup [RG-P109]\n");
  EXPECT_EQ(
      errors_of(in_switch("")),
      "p.yaml:7:9: no key \"open_when\" in an entry of switches, expected a mapping of keys to values [RG-P109]\n");
  EXPECT_EQ(
      errors_of(in_switch("        open_when: {}\n")),
      "p.yaml:8:20: open_when without a threshold, expected at least one of slow_ratio, error_ratio, lock_wait_p99, "
      "proven_races, likely_races [RG-P109]\n");
  EXPECT_EQ(errors_of(in_guard("    contention: {enabled: false}\n")),
            "p.yaml:3:11: policy \"a\" watches nothing, expected functions, contention, watch or bursts [RG-P109]\n");
  EXPECT_EQ(errors_of("# nothing\n"),
            "p.yaml:1:1: an empty document, expected at least \"apiVersion: raceguard/v1\" [RG-P109]\n");
  EXPECT_EQ(errors_of(""), errors_of("# nothing\n"));
}

TEST(PolicyErrors, WrongApiVersion) {
  EXPECT_EQ(
      errors_of("apiVersion: raceguard/v2\n"),
      "p.yaml:1:13: \"raceguard/v2\" for apiVersion, expected one of raceguard/v1; did you mean \"raceguard/v1\"? "
      "[RG-P105]\n");
}

TEST(PolicyErrors, References) {
  EXPECT_EQ(
      errors_of(in_switch("        functions: [f, ff]\n        open_when: {slow_ratio: 50%}\n")),
      "p.yaml:8:24: switch \"s\" names function \"ff\", expected one of this policy's functions (f); did you mean "
      "\"f\"? [RG-P107]\n");
  EXPECT_EQ(
      errors_of(in_switch("        functions: f\n        open_when: {error_ratio: 50%}\n")),
      "p.yaml:9:34: error_ratio of switch \"s\" has nothing to judge, expected a function with \"error_when\" among "
      "its functions [RG-P107]\n");
  EXPECT_EQ(errors_of(in_guard("").replace(in_guard("").find("{comm: a}"), 9, "{comm: a, users: {deny: [bob, bop]}}")),
            "p.yaml:4:43: user \"bop\" for deny, expected a user of this machine (or a user's id) [RG-P107]\n");
}

TEST(PolicyErrors, NamesInUse) {
  EXPECT_EQ(
      errors_of(in_guard("    functions: [{symbol: f}, {name: f, symbol: g}]\n  - {name: a, target: {comm: b}}\n")),
      "p.yaml:5:37: function \"f\" again (before at p.yaml:5:26), expected a name of its own. Give one of the two "
      "another name with the key \"name\" [RG-P104]\n"
      "p.yaml:6:12: policy \"a\" again (before at p.yaml:3:11), expected a name of its own. Rename one of the two "
      "[RG-P104]\n");
}

TEST(PolicyErrors, AllOfThemAreReported) {
  const auto policy = decode("apiVersion: 2\ndaemon: {tik: 1s, tick: 1, listen_port: 70000}\npolicies: [{}]\n");
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().list().size(), 6U) << policy.error().to_string();
  EXPECT_THAT(policy.error().to_error().to_string(), HasSubstr("RG-P105 p.yaml:1:13"));
  EXPECT_THAT(policy.error().to_error().to_string(), HasSubstr("(and 5 more errors)"));
}

TEST(PolicyErrors, GlobThatMatchesNothing) {
  const PolicyError entry = matches_nothing({"p.yaml", 12, 9}, "symbol glob", "recomend*", "/usr/bin/checkout",
                                            {"main", "recommend(int)", "pay"});
  EXPECT_EQ(
      entry.error.to_string(),
      "RG-P108 p.yaml:12:9: symbol glob \"recomend*\" matches nothing in /usr/bin/checkout, expected at least one "
      "match; did you mean \"recommend\"?");
}

}  // namespace
}  // namespace raceguard::policy
