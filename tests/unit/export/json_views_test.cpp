// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/json_views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/export/budget_json.h"
#include "daemon/export/client/error_wire.h"
#include "daemon/export/interceptions_json.h"
#include "daemon/export/views_by_name.h"
#include "raceguard/abi/drop_reasons.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(JsonViews, TimesAreRfc3339InUtc) {
  EXPECT_EQ(rfc3339_utc(0), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(rfc3339_utc(kSampleRealtimeNs), "2026-01-01T00:00:00.123456Z");
}

TEST(JsonViews, StatusCountsAndNamesEveryDropReason) {
  const json status = status_json(sample_snapshot());
  EXPECT_EQ(status["time"], "2026-01-01T00:00:00.123456Z");
  EXPECT_EQ(status["uptime_seconds"], 60.0);
  EXPECT_EQ(status["counts"]["switches_not_closed"], 1);
  EXPECT_EQ(status["counts"]["lock_waiters"], 4);
  EXPECT_EQ(status["omissions"][0]["what"], "function ghost*");
  EXPECT_EQ(status["drops"].size(), static_cast<std::size_t>(RG_DROP_REASON_COUNT));
  EXPECT_EQ(status["drops"]["ring_full"], 3);
  EXPECT_EQ(status["policy"]["last_error"], nullptr);
}

TEST(JsonViews, DropsThatTheKernelDidNotReportYetAreZero) {
  Snapshot snapshot = sample_snapshot();
  snapshot.drops.clear();
  EXPECT_EQ(status_json(snapshot)["drops"]["function_unknown"], 0);
}

TEST(JsonViews, LocksComeDearestFirstAndLimited) {
  const json all = locks_json(sample_snapshot());
  ASSERT_EQ(all["locks"].size(), 2U);
  EXPECT_EQ(all["locks"][0]["name"], "orders");
  EXPECT_EQ(all["locks"][0]["wait_seconds"]["total"], 0.5);
  EXPECT_EQ(all["locks"][1]["waiters"][0]["stack"]["frames"][0]["line"], 42);
  EXPECT_EQ(all["locks"][1]["waiters"][0]["stack"]["trust"], "unwound");
  const json one = locks_json(sample_snapshot(), 1);
  EXPECT_EQ(one["locks"].size(), 1U);
  EXPECT_EQ(one["total"], 2);
}

TEST(JsonViews, FunctionCarriesItsRatiosAndItsProbe) {
  const json function = functions_json(sample_snapshot())["functions"][0];
  EXPECT_EQ(function["calls"], 40);
  EXPECT_EQ(function["slow_ratio"], 0.5);
  EXPECT_EQ(function["error_ratio"], 0.25);
  EXPECT_NEAR(function["duration_seconds"]["p99"].get<double>(), 0.030, 0.0075);  // a bucket is 25 % wide
  EXPECT_EQ(function["probe"]["kind"], "emulated");
  EXPECT_EQ(function["probe"]["slow_threshold_seconds"], 0.02);
}

TEST(JsonViews, BudgetsAndExemptionsAreTold) {
  const json status = status_json(sample_snapshot())["budget"];
  EXPECT_EQ(status["guards"][0]["cost_seconds"], 2.5);
  EXPECT_EQ(status["guards"][0]["steps"],
            (json{{"sample", 0}, {"sample_more", 0}, {"exempt", 1}, {"try", 0}, {"restore", 0}}));
  EXPECT_EQ(status["contention"][0]["futex_calls"], 7);
  EXPECT_EQ(status["contention"][0]["resting"], true);
  EXPECT_EQ(status["contention"][0]["steps"], (json{{"watch_less", 2}, {"watch_more", 1}}));
  EXPECT_EQ(status["fuse"]["open"], false);
  EXPECT_EQ(status["fuse"]["next_change"], nullptr);
  const json exemption = functions_json(sample_snapshot())["exemptions"][0];
  EXPECT_EQ(exemption, status["exemptions"][0]);
  EXPECT_EQ(exemption["state"], "exempt");
  EXPECT_EQ(exemption["next_change"], "2026-01-01T00:01:00.123456Z");
}

TEST(JsonViews, AStepIsARecordAndALine) {
  breaker::BudgetStep step{.kind = breaker::BudgetStep::Kind::kExempt,
                           .group = "checkout",
                           .key = "0",
                           .name = "hash(int)",
                           .reason = "it took 60 %",
                           .evidence = {{"function_cost_ratio", 0.6, 0.01, 7}},
                           .time = {.monotonic_ns = 5, .realtime_ns = kSampleRealtimeNs},
                           .next_change_ns = 60'000'000'005};
  const json record = budget_step_json(step);
  EXPECT_EQ(record["step"], "exempt");
  EXPECT_EQ(record["function"], "hash(int)");
  EXPECT_EQ(record["evidence"][0]["crossed"], true);
  EXPECT_EQ(record["next_change"], "2026-01-01T00:01:00.123456Z");
  EXPECT_EQ(budget_step_text(step), "budget: exempt hash(int) of checkout: it took 60 %");
  step = {.kind = breaker::BudgetStep::Kind::kFuseOpen, .reason = "slow"};
  EXPECT_EQ(budget_step_text(step), "budget: fuse_open: slow");
  EXPECT_EQ(budget_step_json(step)["guard"], nullptr);
}

TEST(JsonViews, DeadlockHasItsThreadsAndOtherFindingsHaveNone) {
  Snapshot snapshot = sample_snapshot();
  snapshot.findings.push_back(sample_deadlock(snapshot.realtime_ns));
  const json findings = findings_json(snapshot)["findings"];
  const json& deadlock = findings.back();
  EXPECT_EQ(deadlock["kind"], "deadlock");
  EXPECT_EQ(deadlock["verdict"], "proven");
  EXPECT_EQ(deadlock["pid"], 812);
  EXPECT_EQ(deadlock["threads"][0]["tid"], 813);
  EXPECT_EQ(deadlock["threads"][0]["name"], "worker");
  EXPECT_EQ(deadlock["threads"][0]["owner_tid"], 813);
  EXPECT_EQ(deadlock["threads"][0]["waits_for"],
            (json{{"name", "account_lock"}, {"address", "0x1000"}, {"kind", "mutex"}}));
  EXPECT_EQ(deadlock["threads"][0]["stack"]["frames"].size(), 2U);
  EXPECT_FALSE(findings.front().contains("threads"));
}

TEST(JsonViews, ExplainSaysWhyWithEvidenceAndWhatIsNext) {
  const Result<json> explained = explain_json(sample_snapshot(), "recommend");
  ASSERT_TRUE(explained);
  EXPECT_THAT((*explained)["summary"].get<std::string>(),
              HasSubstr("Switch recommend is open since 2025-12-31T23:59:58.123456Z: slow ratio 0.62"));
  EXPECT_EQ((*explained)["history"][0]["evidence"][0]["crossed"], true);
  EXPECT_EQ((*explained)["switch"]["current"][0]["crossed"], false);
  EXPECT_EQ((*explained)["switch"]["next_change"], "2026-01-01T00:00:03.123456Z");
}

TEST(JsonViews, ExplainTellsObservedFromApplied) {
  Snapshot snapshot = sample_snapshot();
  snapshot.switches[0].enforce = false;
  snapshot.switches[0].applied_state = breaker::State::kClosed;
  EXPECT_THAT((*explain_json(snapshot, "recommend"))["summary"].get<std::string>(),
              HasSubstr("is open for its breaker, closed for applications (mode observe: nothing is flipped)"));
}

TEST(JsonViews, UnknownSwitchIsAnErrorThatNamesTheSwitches) {
  const Result<json> explained = explain_json(sample_snapshot(), "recomend");
  ASSERT_FALSE(explained);
  EXPECT_EQ(explained.error().code(), ErrorCode::kSwitchUnknown);
  EXPECT_THAT(explained.error().remedy(), HasSubstr("recommend"));
}

TEST(JsonViews, InterceptionsSayWhetherTheyHelp) {
  const json document = interceptions_json(sample_snapshot());
  const json& one = document["interceptions"].at(0);
  EXPECT_EQ(one["cause"], "finding");
  EXPECT_EQ(one["state"], "running");
  EXPECT_EQ(one["report"]["fail_open"], 10);
  const json& race = one["races"].at(0);
  EXPECT_EQ(race["before"]["proofs_per_minute"], 360);
  EXPECT_EQ(race["during"]["proofs_per_minute"], 0);
  EXPECT_TRUE(race["after"]["proofs_per_minute"].is_null()) << "it was not watched";
  EXPECT_EQ(document["guards"].at(0)["fail_open"]["time_out"], 10);
  EXPECT_EQ(document["proposals"].at(0)["functions"], json::array({"get"}));
}

TEST(JsonViews, EveryViewBecomesText) {
  const Snapshot snapshot = sample_snapshot();
  for (const std::string_view name : kViewNames) {
    const Result<json> view = view_by_name(&snapshot, name, {{"switch", "recommend"}});
    ASSERT_TRUE(view) << name << view.error().to_string();
    EXPECT_TRUE(json::accept(to_line(*view))) << name;  // the target's comm is not UTF-8
    EXPECT_EQ((*view)["time"], "2026-01-01T00:00:00.123456Z") << name;
  }
}

TEST(JsonViews, LimitsOutOfRangeAndMissingSnapshotAreErrors) {
  const Snapshot snapshot = sample_snapshot();
  EXPECT_FALSE(view_by_name(&snapshot, "locks", {{"limit", 0}}));
  EXPECT_FALSE(view_by_name(&snapshot, "locks", {{"limit", -1}}));
  EXPECT_FALSE(view_by_name(&snapshot, "locks", {{"limit", "all"}}));
  EXPECT_FALSE(view_by_name(&snapshot, "locks", json::array({1})));
  EXPECT_FALSE(view_by_name(&snapshot, "explain", json::object()));
  EXPECT_FALSE(view_by_name(nullptr, "status", nullptr));
}

}  // namespace
}  // namespace raceguard::exporting
