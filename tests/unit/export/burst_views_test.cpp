// SPDX-License-Identifier: Apache-2.0
// Lock bursts in the documents and metrics.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/detect/lock_order_finding.h"
#include "daemon/export/burst_json.h"
#include "daemon/export/json_views.h"
#include "daemon/export/metrics.h"
#include "daemon/export/process_figures.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

detect::LockReport sample_report() {
  detect::LockReport report;
  report.guard = "checkout";
  report.pid = 812;
  report.comm = "checkout";
  report.realtime_ns = kSampleRealtimeNs;
  report.locks.resize(3);
  detect::NamedOrder step;
  step.held = "orders";
  step.wanted = "stock";
  step.held_at = "take() at shop.cpp:7";
  step.order.key.held = 0x7f00;
  step.order.count = 5;
  detect::NamedOrder back = step;
  std::swap(back.held, back.wanted);
  report.cycles = {{step, back}};
  return report;
}

Snapshot sample_with_bursts() {
  Snapshot snapshot = sample_snapshot();
  snapshot.bursts.wanted = true;
  GuardBurstView guard;
  guard.guard = "checkout";
  guard.limit = 0.01;
  guard.bursts = 3;
  guard.hits = 60'000;
  guard.cost_ns = 66'000'000;
  guard.cycles = 1;
  snapshot.bursts.guards = {guard};
  snapshot.bursts.reports = {std::make_shared<const detect::LockReport>(sample_report())};
  return snapshot;
}

std::string metrics_of(const Snapshot& snapshot) {
  return Metrics(20).render(snapshot, ProcessFigures{}, MetricsFormat::kText);
}

TEST(BurstViews, MetricsHaveUnitsAndGuards) {
  const std::string metrics = metrics_of(sample_with_bursts());
  EXPECT_THAT(metrics, HasSubstr("raceguard_bursts_total{guard=\"checkout\"} 3\n"));
  EXPECT_THAT(metrics, HasSubstr("raceguard_burst_hits_total{guard=\"checkout\"} 60000\n"));
  EXPECT_THAT(metrics, HasSubstr("raceguard_burst_cost_seconds_total{guard=\"checkout\"} 0.066\n"));
  EXPECT_THAT(metrics, HasSubstr("raceguard_burst_limit_ratio{guard=\"checkout\"} 0.01\n"));
  EXPECT_THAT(metrics, HasSubstr("raceguard_lock_order_cycles{guard=\"checkout\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("raceguard_bursts_possible 1\n"));
}

TEST(BurstViews, BurstsThatCannotBeAreToldToBoth) {
  Snapshot snapshot = sample_with_bursts();
  snapshot.bursts.trouble = "the kernel has no uprobe_multi links (6.6)";
  EXPECT_THAT(metrics_of(snapshot), HasSubstr("raceguard_bursts_possible 0\n"));
  EXPECT_EQ(status_json(snapshot)["bursts"]["trouble"], "the kernel has no uprobe_multi links (6.6)");
  snapshot.bursts.trouble.clear();
  snapshot.bursts.held = true;
  EXPECT_THAT(metrics_of(snapshot), HasSubstr("raceguard_bursts_possible 0\n"));
  EXPECT_THAT(metrics_of(sample_snapshot()), HasSubstr("raceguard_bursts_possible 1\n")) << "nobody wants any";
}

TEST(BurstViews, AdviceHasEachProcessWithSoManyLocks) {
  const json advice = advice_json(sample_with_bursts(), 2);
  ASSERT_EQ(advice["reports"].size(), 1U);
  EXPECT_EQ(advice["reports"][0]["guard"], "checkout");
  EXPECT_EQ(advice["reports"][0]["locks"].size(), 2U);
  EXPECT_EQ(advice["reports"][0]["cycles"][0]["orders"].size(), 2U);
  EXPECT_EQ(advice["bursts"]["guards"][0]["bursts"], 3);
}

TEST(BurstViews, AnOrderOfLocksIsAFindingWithItsSteps) {
  const detect::LockReport report = sample_report();
  const json finding = finding_json(detect::lock_order_finding(report, report.cycles[0]));
  EXPECT_EQ(finding["kind"], "lock_order");
  EXPECT_EQ(finding["verdict"], "likely");
  EXPECT_EQ(finding["pid"], 812);
  EXPECT_EQ(finding["process"], "checkout (812)");
  ASSERT_EQ(finding["orders"].size(), 2U);
  EXPECT_EQ(finding["orders"][0]["held_at"], "take() at shop.cpp:7");
  EXPECT_EQ(finding["orders"][0]["held_address"], "0x7f00");
}

}  // namespace
}  // namespace raceguard::exporting
