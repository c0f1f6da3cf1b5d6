// SPDX-License-Identifier: Apache-2.0
// The commands that need no daemon, as a process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/export/evidence.h"
#include "raceguard/clock.h"
#include "tests/support/scratch.h"
#include "tests/unit/ctl/fake_daemon.h"
#include "tests/unit/ctl/run_program.h"
#include "tests/unit/export/manual_clock.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using raceguard::testing::read_text;
using raceguard::testing::write_text;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LocalCommands : public ::testing::Test {
 protected:
  [[nodiscard]] Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--run-directory", scratch_.path().string()});
    return raceguardctl(arguments);
  }
  [[nodiscard]] std::string path(const char* name) const { return scratch_.path() / name; }
  raceguard::testing::ScratchFolder scratch_;
};

class VerifyCommand : public LocalCommands {
 protected:
  // Three records; the writer stays open, as in a running daemon.
  VerifyCommand() : writer_(*exporting::EvidenceWriter::open({.path = path("evidence.jsonl")}, clock_)) {
    for (int i = 0; i < 3; ++i) {
      writer_.add("start", {{"number", i}});
    }
    static_cast<void>(writer_.flush());
  }
  exporting::ManualClock clock_;
  exporting::EvidenceWriter writer_;
};

TEST_F(VerifyCommand, AWholeFileIsWhole) {
  const Finished done = run({"verify", path("evidence.jsonl")});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("is whole: 3 records (seq 1 to 3)"), HasSubstr("not compared with the daemon")));
}

TEST_F(VerifyCommand, AChangedLineIsNamed) {
  std::string text = read_text(path("evidence.jsonl"));
  text[text.find("\"number\":1") + 9] = '7';
  write_text(path("evidence.jsonl"), text);
  const Finished done = run({"verify", path("evidence.jsonl"), "-o", "json"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, AllOf(HasSubstr("RG-X102"), HasSubstr("evidence.jsonl:2:")));
  EXPECT_EQ(json::parse(done.out)["whole"], false);
}

// The fake daemon runs in this process, which has the file open, so the command takes it for the daemon's own.
TEST_F(VerifyCommand, ACutEndIsFoundWithTheDaemonsHelp) {
  const FakeDaemon daemon(scratch_.path(), writer_.last_hash());
  EXPECT_THAT(run({"verify", path("evidence.jsonl")}).out, HasSubstr("its end is what the running daemon wrote last"));
  const std::string text = read_text(path("evidence.jsonl"));
  ASSERT_EQ(::truncate(path("evidence.jsonl").c_str(), static_cast<off_t>(text.rfind('\n', text.size() - 2) + 1)), 0);
  const Finished done = run({"verify", path("evidence.jsonl")});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("evidence.jsonl:3: the end is not what raceguardd wrote last"));
}

TEST_F(VerifyCommand, AGivenEndNeedsNoDaemon) {
  EXPECT_EQ(run({"verify", path("evidence.jsonl"), "--last", writer_.last_hash()}).status, 0);
  EXPECT_EQ(run({"verify", path("evidence.jsonl"), "--last", std::string(64, 'a')}).status, 1);
  EXPECT_EQ(run({"verify", path("evidence.jsonl"), "--after", std::string(64, 'a')}).status, 1);
}

TEST_F(LocalCommands, GarbageIsNoEvidence) {
  write_text(path("garbage"), std::string("\x00\xff{]\n", 5));
  EXPECT_EQ(run({"verify", path("garbage")}).status, 1);
  const Finished absent = run({"verify", path("absent")});
  EXPECT_EQ(absent.status, 1);
  EXPECT_THAT(absent.err, HasSubstr("ENOENT"));
}

TEST_F(LocalCommands, SitesShowsTheChoiceAmongItsCandidates) {
  const Finished done = run({"sites", "/proc/self/exe", "main", "-o", "json"});
  ASSERT_EQ(done.status, 0) << done.err;
  const json document = json::parse(done.out);
  ASSERT_EQ(document["functions"].size(), 1U);
  const json& function = document["functions"][0];
  ASSERT_TRUE(function["chosen"].is_number());
  const json& site = function["candidates"][function["chosen"].get<std::size_t>()];
  EXPECT_THAT(site["why"].get<std::string>(), HasSubstr("chosen"));
  EXPECT_TRUE(site["hit_seconds"].is_number() || document["costs_not_measured"] != "");
  EXPECT_THAT(run({"sites", "/proc/self/exe", "main"}).out, AllOf(HasSubstr("\n->"), HasSubstr("A HIT COSTS")));
}

TEST_F(LocalCommands, SitesOfWhatIsNoBinary) {
  write_text(path("script"), "#!/bin/sh\n");
  const Finished script = run({"sites", path("script"), "main"});
  EXPECT_EQ(script.status, 1);
  EXPECT_THAT(script.err, AllOf(HasSubstr("RG-S105"), HasSubstr("script")));
  EXPECT_THAT(run({"sites", "/proc/self/exe", "no_such_function"}).err, HasSubstr("RG-S102"));
}

TEST_F(LocalCommands, CheckSaysWhereTheMistakeIs) {
  write_text(path("bad.yaml"), "apiVersion: raceguard/v1\npolicis: []\n");
  const Finished bad = run({"check", path("bad.yaml")});
  EXPECT_EQ(bad.status, 1);
  EXPECT_EQ(bad.err.find(path("bad.yaml") + ":2:1: unknown key"), 0U) << bad.err;
  const json document = json::parse(run({"check", path("bad.yaml"), "-o", "json"}).out);
  EXPECT_EQ(document["valid"], false);
  EXPECT_EQ(document["errors"][0]["line"], 2);
  const Finished good = run({"check", RG_SOURCE_DIR "/config/policies/checkout.yaml"});
  EXPECT_EQ(good.status, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("valid: 1 policy,"));
}

TEST_F(LocalCommands, FeaturesSaysOfEachWhetherItIsThere) {
  const json document = json::parse(run({"features", "-o", "json"}).out);
  ASSERT_GT(document["features"].size(), 5U);
  for (const json& feature : document["features"]) {
    EXPECT_TRUE(feature["available"].is_boolean()) << feature;
  }
  EXPECT_THAT(run({"features"}).out, HasSubstr("uprobe_multi"));
}

TEST_F(LocalCommands, DoctorNamesWhatIsMissingAndTheCommand) {
  const Finished done = run({"doctor", "--binary", path("absent")});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.out,
              AllOf(HasSubstr("MISSING  binary  cannot open binary"), HasSubstr("systemctl start raceguard")));
  const json document = json::parse(run({"doctor", "--pid", std::to_string(::getpid()), "-o", "json"}).out);
  EXPECT_THAT(document.dump(), AllOf(HasSubstr("ctl_test names"), HasSubstr("CAP_BPF")));
  EXPECT_EQ(run({"doctor", "--pid", "x"}).status, 2);
}

TEST_F(LocalCommands, DoctorAsksTheDaemonHowItIs) {
  const FakeDaemon daemon(scratch_.path());
  EXPECT_THAT(run({"doctor"}).out,
              AllOf(HasSubstr("answers and is ready"), HasSubstr("lost 3 for the reason ring_full")));
}

TEST_F(LocalCommands, TopShowsOneViewWithoutATerminal) {
  const FakeDaemon daemon(scratch_.path());
  const Finished done = run({"top", "--once", "-d", "0.1"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("inventory_mutex"), HasSubstr("recommend"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(run({"top", "-d", "soon"}).status, 2);
  EXPECT_EQ(run({"top", "-n", "0"}).status, 2);
}

TEST_F(LocalCommands, TopWithoutADaemonFailsBeforeItTakesTheScreen) {
  const Finished done = run({"top"});
  EXPECT_EQ(done.status, 1);
  EXPECT_EQ(done.out, "");
}

}  // namespace
}  // namespace raceguard::ctl
