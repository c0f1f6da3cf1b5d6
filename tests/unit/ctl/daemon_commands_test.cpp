// SPDX-License-Identifier: Apache-2.0
// raceguardctl as a process against a socket that answers like the daemon.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include <nlohmann/json.hpp>

#include "ctl/text.h"
#include "tests/support/scratch.h"
#include "tests/unit/ctl/fake_daemon.h"
#include "tests/unit/ctl/run_program.h"

namespace raceguard::ctl {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DaemonCommands : public ::testing::Test {
 protected:
  [[nodiscard]] Finished run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--run-directory", scratch_.path().string()});
    return raceguardctl(arguments);
  }
  raceguard::testing::ScratchFolder scratch_;
};

TEST_F(DaemonCommands, EveryViewAnswersInTextAndJson) {
  const FakeDaemon daemon(scratch_.path());
  for (const std::vector<std::string>& command : {std::vector<std::string>{"status"},
                                                  {"targets"},
                                                  {"locks"},
                                                  {"functions"},
                                                  {"switches"},
                                                  {"findings"},
                                                  {"explain", "recommend"}}) {
    const Finished text = run(command);
    EXPECT_EQ(text.status, 0) << command[0] << text.err;
    EXPECT_EQ(text.err, "") << command[0];
    std::istringstream lines(text.out);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(columns_of(line), 120U) << command[0] << ": " << line;
      EXPECT_THAT(line, Not(HasSubstr("\x1b"))) << "colour without a terminal";
    }
    std::vector<std::string> as_json = command;
    as_json.insert(as_json.end(), {"-o", "json"});
    const Finished document = run(as_json);
    EXPECT_EQ(document.status, 0) << command[0];
    EXPECT_TRUE(nlohmann::json::parse(document.out, nullptr, false).contains("time")) << command[0];
  }
}

TEST_F(DaemonCommands, TheOutputFormatMayStandBeforeTheCommand) {
  const FakeDaemon daemon(scratch_.path());
  EXPECT_EQ(nlohmann::json::parse(run({"-o", "json", "status"}).out)["version"], "0.1.0");
}

TEST_F(DaemonCommands, LimitReachesTheDaemon) {
  const FakeDaemon daemon(scratch_.path());
  EXPECT_EQ(nlohmann::json::parse(run({"locks", "--limit", "1", "-o", "json"}).out)["locks"].size(), 1U);
  const Finished wrong = run({"locks", "--limit", "0"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("1 to 100000"));
}

TEST_F(DaemonCommands, ForceCarriesReasonAndTime) {
  const FakeDaemon daemon(scratch_.path());
  const Finished forced = run({"force", "recommend", "open", "--reason", "incident 42", "--for", "10m"});
  EXPECT_EQ(forced.status, 0) << forced.err;
  EXPECT_THAT(forced.out, AllOf(HasSubstr("switch recommend is open (was closed)"), HasSubstr("incident 42 ttl 600")));
  const Finished released = run({"release", "recommend", "-o", "json"});
  EXPECT_EQ(nlohmann::json::parse(released.out)["forced"], false);
}

TEST_F(DaemonCommands, ForceWithoutAReasonIsRefusedBeforeTheDaemonHearsOfIt) {
  EXPECT_EQ(run({"force", "recommend", "open"}).status, 2);
  EXPECT_THAT(run({"force", "recommend", "open"}).err, HasSubstr("--reason"));
  EXPECT_EQ(run({"force", "recommend", "open", "--reason", " "}).status, 2);
  EXPECT_EQ(run({"force", "recommend", "ajar", "--reason", "x"}).status, 2);
  const Finished no_unit = run({"force", "recommend", "open", "--reason", "x", "--for", "10"});
  EXPECT_EQ(no_unit.status, 2);
  EXPECT_THAT(no_unit.err, HasSubstr("10m"));
}

TEST_F(DaemonCommands, TheDaemonsRefusalIsShownWhole) {
  const FakeDaemon daemon(scratch_.path());
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"explain", "ghost"}, {"force", "ghost", "open", "--reason", "x"}}) {
    const Finished done = run(command);
    EXPECT_EQ(done.status, 1);
    EXPECT_EQ(done.out, "");
    EXPECT_THAT(done.err, AllOf(HasSubstr("RG-W101"), HasSubstr("'ghost'"), HasSubstr("recommend")));
  }
  const Finished reload = run({"reload"});
  EXPECT_EQ(reload.status, 1);
  EXPECT_THAT(reload.err, HasSubstr("a.yaml:3:5"));
}

TEST_F(DaemonCommands, WithoutADaemonItSaysWhichSocketAndWhatToDo) {
  const Finished done = run({"status"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, AllOf(HasSubstr(scratch_.path().string() + "/control.sock"), HasSubstr("ENOENT"),
                              HasSubstr("raceguardd running?"), HasSubstr("--run-directory")));
}

TEST_F(DaemonCommands, WrongUsageIsTwo) {
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"dance"}).status, 2);
  EXPECT_EQ(run({"explain"}).status, 2);
  EXPECT_EQ(run({"status", "-o", "xml"}).status, 2);
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_THAT(run({"--help"}).out, AllOf(HasSubstr("explain"), HasSubstr("Exit status")));
}

}  // namespace
}  // namespace raceguard::ctl
