// SPDX-License-Identifier: Apache-2.0
// Documents as the daemon sends them, as text.
#include "ctl/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "daemon/export/interceptions_json.h"
#include "daemon/export/json_views.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const Style kPlain{};

TEST(StatusText, SaysWhatIsWrongFirst) {
  exporting::Snapshot snapshot = exporting::sample_snapshot();
  snapshot.ready = false;
  snapshot.not_ready_reason = "no BPF";
  snapshot.policy_error = "a.yaml:3:5: unknown key";
  snapshot.evidence_lost = 7;
  const std::string text = status_text(Doc(exporting::status_json(snapshot)), kPlain);
  EXPECT_THAT(text, AllOf(HasSubstr("raceguardd 0.1.0 is not ready (no BPF), pid 4711, up 1m 00s"),
                          HasSubstr("a.yaml:3:5: unknown key"), HasSubstr("7 could not be written"),
                          HasSubstr("3 ring_full"), HasSubstr("not watched: function ghost* of checkout")));
}

TEST(InterceptionsText, SaysWhetherItHelps) {
  const exporting::Snapshot snapshot = exporting::sample_snapshot();
  const std::string text = interceptions_text(Doc(exporting::interceptions_json(snapshot)), Style{.width = 400});
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("put of pid 812, for finding 1f0c22a94b7e of checkout\n  running since 2025-12-31 23:59:00"),
            HasSubstr("until 00:01:00"), HasSubstr("before: 12 proofs in 2.0 s of watching (360 a minute)"),
            HasSubstr("during: 0 proofs in 30 s of watching (0 a minute); after: not watched"),
            HasSubstr("10 calls went on without the slot"),
            HasSubstr("finding abcdef012345 of checkout, not kept apart: raceguardctl intercept")));
}

TEST(TargetsText, AProcessNameCannotSendEscapes) {
  json document = exporting::targets_json(exporting::sample_snapshot());
  document["targets"][0]["comm"] = "evil\x1b[2J\xc2\x9bz";
  const std::string text = targets_text(Doc(document), kPlain);
  EXPECT_THAT(text, AllOf(HasSubstr("evil?[2J?z"), Not(HasSubstr("\x1b")), HasSubstr("812")));
}

TEST(TargetsText, APidIsWrittenOutHoweverLarge) {
  json document = exporting::targets_json(exporting::sample_snapshot());
  document["targets"][0]["pid"] = 4194303;
  EXPECT_THAT(targets_text(Doc(document), kPlain), HasSubstr("4194303"));
}

TEST(FindingsText, ADeadlockShowsEachThreadWithItsLockAndStack) {
  exporting::Snapshot snapshot = exporting::sample_snapshot();
  snapshot.findings = {exporting::sample_deadlock(snapshot.realtime_ns)};
  const std::string text = findings_text(Doc(exporting::findings_json(snapshot)), kPlain);
  EXPECT_THAT(text, AllOf(HasSubstr("deadlock (proven) account_lock of process 812 in checkout"),
                          HasSubstr("thread 813 (worker) of bank (812) waits for itself"),
                          HasSubstr("  thread 813 (worker) waits for mutex account_lock at 0x1000, held by 813\n"
                                    "      in   transfer  bank\n")));
}

TEST(LocksText, ShowsWaitersAndHoldersBelowTheirLock) {
  json document = exporting::locks_json(exporting::sample_snapshot());
  json& lock = document["locks"][1];
  const auto frame = [](const char* function, json file, json line) {
    return json{{"function", function},    {"binary", "/usr/lib/libc.so.6"}, {"file", std::move(file)},
                {"line", std::move(line)}, {"function_offset", 16},          {"address", "0x1"}};
  };
  lock["holders"] = {{{"count", 3},
                      {"total_wait_seconds", 0},
                      {"stack",
                       {{"trust", "untrusted"},
                        {"caller", 1},
                        {"frames",
                         {frame("pthread_mutex_lock", nullptr, nullptr), frame("shop::restock(int)", "a/shop.cpp", 9),
                          frame("", nullptr, nullptr), frame("main", nullptr, nullptr)}}}}}};
  const std::string text = locks_text(Doc(document), kPlain);
  EXPECT_THAT(text, HasSubstr("waits in  reserve_stock  checkout.cpp:42  7x"));
  EXPECT_THAT(text, HasSubstr("held by   shop::restock  shop.cpp:9  3x  stack not trusted"));
  EXPECT_THAT(text, HasSubstr("from main+0x10  libc.so.6"));
  EXPECT_THAT(text, Not(HasSubstr("from 0x1")));            // beside a caller with a name, one without tells nothing
  EXPECT_THAT(text, Not(HasSubstr("pthread_mutex_lock")));  // nobody looks for the lock's own frames
  EXPECT_LT(text.find("orders"), text.find("inventory_mutex"));
}

TEST(LocksText, ConditionVariablesAreCountedNotShown) {
  json document = exporting::locks_json(exporting::sample_snapshot());
  document["locks"][0]["kind"] = "condition";
  const std::string text = locks_text(Doc(document), kPlain);
  EXPECT_THAT(text, AllOf(Not(HasSubstr("orders")), HasSubstr("1 condition variable not shown")));
}

TEST(FunctionsText, ExemptOnesAreToldWithTheReason) {
  const exporting::Snapshot snapshot = exporting::sample_snapshot();
  const auto told = AllOf(HasSubstr("exempt: hash of checkout: its probe took 60 % of the CPU time of checkout"),
                          HasSubstr("tried again at 00:01:00"));
  const Style wide{.width = 200};
  EXPECT_THAT(functions_text(Doc(exporting::functions_json(snapshot)), wide), told);
  EXPECT_THAT(status_text(Doc(exporting::status_json(snapshot)), wide),
              AllOf(told, HasSubstr("checkout: probes take 0.4 % of its CPU time, 1.0 % allowed")));
}

TEST(FunctionsText, NoThresholdIsNoSlowCall) {
  json document = exporting::functions_json(exporting::sample_snapshot());
  EXPECT_THAT(functions_text(Doc(document), kPlain),
              AllOf(HasSubstr("recommend "), HasSubstr("50 %"), HasSubstr("25 %")));
  document["functions"][0]["probe"] = nullptr;
  EXPECT_THAT(functions_text(Doc(document), kPlain), AllOf(Not(HasSubstr("50 %")), HasSubstr("none")));
}

TEST(ExplainText, TellsCauseOutlookAndHistory) {
  const auto document = exporting::explain_json(exporting::sample_snapshot(), "recommend");
  const std::string text = explain_text(Doc(*document), kPlain);
  EXPECT_THAT(text, AllOf(HasSubstr("Switch recommend is OPEN: applications take their fallback."),
                          HasSubstr("Since 2025-12-31 23:59:58 (2 s ago), because: slow ratio 0.62 of 40 calls"),
                          HasSubstr("slow ratio   62 %  reached       50 %       40"),
                          HasSubstr("becomes half-open at 00:00:03 (in 3.0 s)"), HasSubstr("closed -> open")));
}

TEST(ExplainText, AForcedSwitchNamesWhoAndHowToUndo) {
  exporting::Snapshot snapshot = exporting::sample_snapshot();
  snapshot.switches[0].forced = true;
  snapshot.switches[0].forced_by = "uid 0 (root)";
  snapshot.switches[0].forced_until_realtime_ns = snapshot.realtime_ns + 600'000'000'000;
  const auto document = exporting::explain_json(snapshot, "recommend");
  EXPECT_THAT(
      explain_text(Doc(*document), kPlain),
      AllOf(HasSubstr("uid 0 (root) forced it"), HasSubstr("until 00:10:00 (in 10m 00s) or 'raceguardctl release")));
}

TEST(ExplainText, ObserveSaysThatNothingIsFlipped) {
  exporting::Snapshot snapshot = exporting::sample_snapshot();
  snapshot.switches[0].enforce = false;
  snapshot.switches[0].applied_state = breaker::State::kClosed;
  const auto document = exporting::explain_json(snapshot, "recommend");
  EXPECT_THAT(explain_text(Doc(*document), kPlain),
              AllOf(HasSubstr("OPEN for its breaker and CLOSED for applications"), HasSubstr("nothing is flipped")));
}

// A daemon of another version, or none of ours: every view must take anything without a crash.
TEST(EveryView, TakesWhatItDoesNotKnow) {
  for (auto* render : {status_text, targets_text, locks_text, functions_text, switches_text, findings_text,
                       explain_text, acted_text}) {
    for (const char* odd : {"null", "[]", "{}", R"({"locks":[null],"functions":[1],"switches":[{"current":7}]})",
                            R"({"targets":[{"binaries":{}}],"findings":[[]],"drops":[1],"switch":{"since":"x"}})"}) {
      EXPECT_NO_FATAL_FAILURE(static_cast<void>(render(Doc(json::parse(odd)), kPlain)));
    }
  }
}

TEST(EveryView, KeepsWithinTheTerminal) {
  const exporting::Snapshot snapshot = exporting::sample_snapshot();
  const Style narrow{.width = 80, .colour = false};
  for (const std::string& text : {locks_text(Doc(exporting::locks_json(snapshot)), narrow),
                                  switches_text(Doc(exporting::switches_json(snapshot)), narrow),
                                  functions_text(Doc(exporting::functions_json(snapshot)), narrow),
                                  explain_text(Doc(*exporting::explain_json(snapshot, "recommend")), narrow)}) {
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t end = text.find('\n', from);
      EXPECT_LE(columns_of(text.substr(from, end - from)), 80U) << text.substr(from, end - from);
      from = end + 1;
    }
  }
}

}  // namespace
}  // namespace raceguard::ctl
