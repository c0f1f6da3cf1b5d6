// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

using test::decode;
using test::kFullPolicy;
using ::testing::ElementsAre;

TEST(Decode, DaemonSettings) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  const DaemonSettings& daemon = policy->daemon;
  EXPECT_EQ(daemon.listen_address, "::1");
  EXPECT_EQ(daemon.listen_port, 1234);
  EXPECT_EQ(daemon.run_directory, "/tmp/rg");
  EXPECT_EQ(daemon.control_group, "wheel");
  EXPECT_EQ(daemon.evidence_file, "/tmp/e.jsonl");
  EXPECT_EQ(daemon.tick_ns, 50'000'000);
  EXPECT_EQ(daemon.heartbeat_ns, 1'500'000'000);
  EXPECT_EQ(daemon.call_expiry_ns, 7'200'000'000'000);
  EXPECT_EQ(daemon.max_open_switches, 3U);
  EXPECT_EQ(daemon.exempt_for_ns, 120'000'000'000);
  EXPECT_DOUBLE_EQ(daemon.exempt_error_ratio, 0.2);
  EXPECT_EQ(daemon.exempt_minimum_calls, 50U);
  EXPECT_EQ(daemon.fuse_handling_ns, 20'000);
  EXPECT_EQ(daemon.fuse_model_error, 7U);
  EXPECT_EQ(daemon.max_functions, 100U);
  EXPECT_EQ(daemon.max_locks, 1000U);
  EXPECT_EQ(daemon.max_targets, 200U);
  EXPECT_EQ(daemon.max_calls_in_flight, 5000U);
  EXPECT_EQ(daemon.ring_bytes, 65536U);
  EXPECT_EQ(daemon.metrics_top_k, 7U);
}

TEST(Decode, Target) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards.size(), 1U);
  const Guard& guard = policy->guards[0];
  EXPECT_EQ(guard.name, "shop");
  EXPECT_THAT(guard.target.exe_globs, ElementsAre("*/checkout", "/opt/shop/*"));
  EXPECT_THAT(guard.target.comm_globs, ElementsAre("shop"));
  EXPECT_THAT(guard.target.pids, ElementsAre(812));
  EXPECT_THAT(guard.target.systemd_units, ElementsAre("shop.service"));
  EXPECT_THAT(guard.target.cgroup_globs, ElementsAre("/system.slice/*"));
  EXPECT_THAT(guard.target.deny_pids, ElementsAre(1, 2));
  EXPECT_THAT(guard.target.allow_uids, ElementsAre(1000, 7));
  EXPECT_THAT(guard.target.deny_uids, ElementsAre(1001));
  EXPECT_DOUBLE_EQ(guard.contention.stack_samples_per_second, 2.5);
  EXPECT_DOUBLE_EQ(guard.contention.budget, 0.03);
  EXPECT_DOUBLE_EQ(guard.budget, 0.03);
}

TEST(Decode, Functions) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  const auto& functions = policy->guards[0].functions;
  ASSERT_EQ(functions.size(), 2U);
  EXPECT_EQ(functions[0].name, "recommend");
  EXPECT_EQ(functions[0].symbol_glob, "shop::recommend*");
  EXPECT_EQ(functions[0].binary, "*/libshop.so*");
  EXPECT_EQ(functions[0].slow_ns, 20'000'000);
  ASSERT_TRUE(functions[0].error);
  EXPECT_EQ(functions[0].error->comparison, Comparison::kLessEqual);
  EXPECT_EQ(functions[0].error->operand, -5);
  EXPECT_EQ(functions[0].error->bits, 64);
  EXPECT_TRUE(functions[0].error->is_signed);
  EXPECT_EQ(functions[0].position.line, 42U);
  EXPECT_EQ(functions[0].position.column, 17U);
  EXPECT_EQ(functions[1].name, "pay") << "the symbol, when no name is given";
  EXPECT_EQ(functions[1].binary, "exe");
  EXPECT_FALSE(functions[1].error);
}

TEST(Decode, Switch) {
  const auto policy = decode(kFullPolicy);
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards[0].switches.size(), 2U);
  const SwitchPolicy& entry = policy->guards[0].switches[0];
  EXPECT_EQ(entry.name, "recommendations");
  EXPECT_EQ(entry.mode, SwitchMode::kEnforce);
  EXPECT_THAT(entry.functions, ElementsAre("recommend", "pay"));
  EXPECT_THAT(entry.locks, ElementsAre("stock*"));
  EXPECT_DOUBLE_EQ(*entry.open_slow_ratio, 0.5);
  EXPECT_DOUBLE_EQ(*entry.open_error_ratio, 0.15);
  EXPECT_EQ(*entry.open_lock_wait_p99_ns, 30'000'000);
  EXPECT_DOUBLE_EQ(*entry.close_slow_ratio, 0.1);
  EXPECT_DOUBLE_EQ(*entry.close_error_ratio, 0.05);
  EXPECT_EQ(*entry.close_lock_wait_p99_ns, 7'000);
  EXPECT_EQ(entry.window.calls, 100U);
  EXPECT_EQ(entry.window.duration_ns, 0) << "exactly one kind of window";
  EXPECT_EQ(entry.minimum_calls, 11U);
  EXPECT_EQ(entry.minimum_waits, 12U);
  EXPECT_EQ(entry.open_for_ns, 3'000'000'000);
  EXPECT_EQ(entry.open_for_max_ns, 60'000'000'000);
  EXPECT_DOUBLE_EQ(entry.backoff_factor, 1.5);
  EXPECT_DOUBLE_EQ(entry.jitter, 0.07);
  EXPECT_DOUBLE_EQ(entry.half_open_share, 0.2);
  EXPECT_EQ(entry.half_open_calls, 6U);
  EXPECT_EQ(entry.half_open_deadline_ns, 4'000'000'000);
  EXPECT_EQ(entry.flap_openings, 9U);
  EXPECT_EQ(entry.flap_window_ns, 3'600'000'000'000);
}

TEST(Decode, DefaultsOfASwitchFollowWhatIsGiven) {
  const auto policy = decode(R"(apiVersion: raceguard/v1
policies:
  - name: a
    target: {comm: a}
    switches:
      - name: s
        open_when: {lock_wait_p99: 5ms}
        window: {calls: 10}
        open_for: 1h
)");
  ASSERT_TRUE(policy) << policy.error().to_string();
  const SwitchPolicy& entry = policy->guards[0].switches[0];
  EXPECT_EQ(entry.mode, SwitchMode::kObserve);
  EXPECT_EQ(entry.close_lock_wait_p99_ns, 5'000'000) << "that of open_when";
  EXPECT_FALSE(entry.close_slow_ratio);
  EXPECT_EQ(entry.minimum_calls, 10U) << "the default of 20 would never be reached in a window of 10";
  EXPECT_EQ(entry.open_for_max_ns, entry.open_for_ns) << "the default of 5m is below open_for";
}

TEST(Decode, UnsignedErrorTest) {
  const auto policy = decode(R"(apiVersion: raceguard/v1
policies:
  - name: a
    target: {comm: a}
    functions: [{symbol: f, error_when: {returns: ==0, type: uint8}}]
)");
  ASSERT_TRUE(policy) << policy.error().to_string();
  const ErrorTest& test = *policy->guards[0].functions[0].error;
  EXPECT_EQ(test.comparison, Comparison::kEqual);
  EXPECT_EQ(test.bits, 8);
  EXPECT_FALSE(test.is_signed);
}

TEST(Decode, ShippedPoliciesAreValid) {
  const auto policy = load_policy({RG_SOURCE_DIR "/config/policies"});
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards.size(), 2U);
  EXPECT_EQ(policy->guards[0].name, "checkout");
  EXPECT_EQ(policy->guards[0].switches[0].mode, SwitchMode::kEnforce);
  EXPECT_EQ(policy->guards[1].name, "mariadb");
  EXPECT_EQ(policy->guards[1].switches[0].mode, SwitchMode::kObserve);
}

}  // namespace
}  // namespace raceguard::policy
