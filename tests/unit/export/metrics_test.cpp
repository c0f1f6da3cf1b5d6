// SPDX-License-Identifier: Apache-2.0
// The two formats are held by the tools that read them in production: promtool, and the Prometheus client's parser.
#include "daemon/export/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "daemon/detect/deadlock_finding.h"
#include "daemon/export/process_figures.h"
#include "raceguard/abi/drop_reasons.h"
#include "tests/unit/export/sample_snapshot.h"
#include "tests/unit/export/temporary_directory.h"

namespace raceguard::exporting {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr ProcessFigures kProcess{.resident_bytes = 12'345'678, .cpu_seconds = 1.25, .open_fds = 42};

Snapshot nasty_snapshot() {
  Snapshot snapshot = sample_snapshot();
  snapshot.locks[0].name = "quote\" back\\slash\nnewline \xff \xc3\xa9 {a=\"b\"}";
  snapshot.functions[0].symbol = "std::map<int, char const*>::operator[](int const&)";
  return snapshot;
}

struct Finished {
  int status = -1;
  std::string output;
};

Finished run(const std::string& command) {
  Finished result;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 4096> chunk{};
  while (std::fgets(chunk.data(), chunk.size(), pipe) != nullptr) result.output += chunk.data();
  result.status = ::pclose(pipe);
  return result;
}

TEST(Metrics, CarriesTheFigures) {
  const std::string text = Metrics(20).render(sample_snapshot(), kProcess, MetricsFormat::kText);
  EXPECT_THAT(text, HasSubstr("raceguard_function_calls_total{guard=\"checkout\",function=\"recommend\","
                              "symbol=\"recommend(int)\"} 40\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_lock_wait_seconds_count{guard=\"checkout\",lock=\"orders\"} 100\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_lock_wait_seconds_sum{guard=\"checkout\",lock=\"orders\"} 0.5\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_switch_state{switch=\"recommend\",state=\"open\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_switch_state{switch=\"recommend\",state=\"half_open\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("raceguard_switch_transitions_total{switch=\"recommend\",to=\"open\",enforced=\"true\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_drops_total{reason=\"ring_full\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("process_open_fds 42\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_budget_cost_seconds_total{guard=\"checkout\"} 2.5\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_contention_cost_seconds_total{guard=\"checkout\"} 1.5\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_contention_watched_ratio{guard=\"checkout\"} 0.25\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_contention_steps_total{guard=\"checkout\",step=\"watch_less\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_budget_exempt_functions{guard=\"checkout\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("raceguard_budget_steps_total{guard=\"checkout\",step=\"exempt\"} 1\n"));
}

TEST(Metrics, DeadlocksAreThoseThatStandNow) {
  Snapshot snapshot = sample_snapshot();
  const std::string series = "raceguard_deadlocks{guard=\"checkout\",verdict=\"proven\"} ";
  EXPECT_THAT(Metrics(20).render(snapshot, kProcess, MetricsFormat::kText), HasSubstr(series + "0"));
  snapshot.findings.push_back(sample_deadlock(snapshot.realtime_ns - 1));
  EXPECT_THAT(Metrics(20).render(snapshot, kProcess, MetricsFormat::kText), HasSubstr(series + "1"));
  snapshot.findings.back().last_seen_ns = snapshot.realtime_ns - detect::kDeadlockStandsNs;
  EXPECT_THAT(Metrics(20).render(snapshot, kProcess, MetricsFormat::kText), HasSubstr(series + "0"));
}

TEST(Metrics, EveryDropReasonIsAlwaysThere) {
  Snapshot snapshot;
  const std::string text = Metrics(20).render(snapshot, kProcess, MetricsFormat::kText);
#define RG_EXPECT_REASON(name, label, help) \
  EXPECT_THAT(text, HasSubstr("raceguard_drops_total{reason=\"" label "\"} 0\n"));
  RG_DROP_REASONS(RG_EXPECT_REASON)
#undef RG_EXPECT_REASON
}

TEST(Metrics, LabelsAreEscapedAndUtf8) {
  const std::string text = Metrics(20).render(nasty_snapshot(), kProcess, MetricsFormat::kText);
  EXPECT_THAT(text, HasSubstr(R"(lock="quote\" back\\slash\nnewline ? é {a=\"b\"}")"));
}

TEST(Metrics, SecondScrapeOfTheSameSnapshotIsTheSame) {
  Metrics metrics(20);
  const std::string first = metrics.render(sample_snapshot(), kProcess, MetricsFormat::kText);
  EXPECT_EQ(metrics.render(sample_snapshot(), kProcess, MetricsFormat::kText), first);
}

TEST(Metrics, PromtoolFindsNothingToSay) {
  if (::access("/usr/bin/promtool", X_OK) != 0) GTEST_SKIP() << "needs promtool (package prometheus)";
  const TemporaryDirectory directory;
  std::ofstream(directory / "metrics") << Metrics(20).render(nasty_snapshot(), kProcess, MetricsFormat::kText);
  const Finished checked = run("promtool check metrics < " + (directory / "metrics"));
  EXPECT_EQ(checked.status, 0) << checked.output;
  EXPECT_EQ(checked.output, "");
}

TEST(Metrics, OpenMetricsIsReadByThePrometheusClientsParser) {
  if (run("/usr/bin/python3 -c 'import prometheus_client.openmetrics.parser'").status != 0) {
    GTEST_SKIP() << "needs the package python3-prometheus-client";
  }
  const TemporaryDirectory directory;
  std::ofstream(directory / "metrics") << Metrics(20).render(nasty_snapshot(), kProcess, MetricsFormat::kOpenMetrics);
  std::ofstream(directory / "parse.py") << R"(
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(open(sys.argv[1]).read())}
calls = families["raceguard_function_calls"]
assert calls.type == "counter" and calls.samples[0].value == 40, calls
waits = families["raceguard_lock_wait_seconds"]
assert waits.type == "histogram" and waits.unit == "seconds", waits
locks = {s.labels["lock"] for s in waits.samples}
assert 'quote" back\\slash\nnewline ? \u00e9 {a="b"}' in locks, locks
assert families["process_resident_memory_bytes"].unit == "bytes"
assert families["process_cpu_seconds"].samples[0].value == 1.25
)";
  const Finished parsed = run("/usr/bin/python3 " + (directory / "parse.py") + " " + (directory / "metrics"));
  EXPECT_EQ(parsed.status, 0) << parsed.output;
}

TEST(Metrics, OpenMetricsEndsWithItsMark) {
  const std::string text = Metrics(20).render(nasty_snapshot(), kProcess, MetricsFormat::kOpenMetrics);
  EXPECT_TRUE(text.ends_with("\n# EOF\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE raceguard_lock_waits counter\n"));
  EXPECT_THAT(text, HasSubstr("# UNIT raceguard_lock_wait_seconds seconds\n"));
  EXPECT_THAT(text, Not(HasSubstr("# TYPE raceguard_lock_waits_total")));
}

TEST(Metrics, FormatFollowsTheAcceptHeader) {
  // What Prometheus 2.42 sends.
  EXPECT_EQ(negotiate("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            MetricsFormat::kOpenMetrics);
  EXPECT_EQ(negotiate(""), MetricsFormat::kText);
  EXPECT_EQ(negotiate("*/*"), MetricsFormat::kText);
  EXPECT_EQ(negotiate("text/plain, application/openmetrics-text; q=0.5"), MetricsFormat::kText);
  EXPECT_EQ(negotiate("application/openmetrics-text;version=2.0.0"), MetricsFormat::kText);
  EXPECT_EQ(negotiate("application/openmetrics-text;q=0"), MetricsFormat::kText);
  EXPECT_EQ(negotiate(",;,;=,q=,application/openmetrics-text"), MetricsFormat::kOpenMetrics);
}

TEST(Metrics, ProcessFiguresAreOurs) {
  const ProcessFigures figures = read_process_figures();
  EXPECT_GT(figures.resident_bytes, 1'000'000U);
  EXPECT_GE(figures.open_fds, 3U);
  EXPECT_EQ(read_process_figures("/no/such/place").open_fds, 0U);
}

}  // namespace
}  // namespace raceguard::exporting
