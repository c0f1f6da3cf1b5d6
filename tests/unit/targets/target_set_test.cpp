// SPDX-License-Identifier: Apache-2.0
// The set of targets: on fake proc trees, where time stands still, and with real children that fork, exec and end.
#include "daemon/targets/target_set.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/support/scratch.h"

namespace raceguard::targets {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace raceguard::testing;

policy::Guard guard(std::string name, policy::TargetMatch match) {
  policy::Guard result;
  result.name = std::move(name);
  result.target = std::move(match);
  return result;
}

std::vector<pid_t> pids(const TargetSet& set) {
  std::vector<pid_t> result;
  for (const Target& target : set.list()) {
    result.push_back(target.id.pid);
  }
  return result;
}

class FakeSet : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  fs::path proc_ = scratch_.path() / "proc";
  fs::path app_ = scratch_.path() / "app";
  fs::path tool_ = scratch_.path() / "tool";

  FakeSet() {
    write_text(app_, "app");
    write_text(tool_, "tool");
    fs::create_directories(proc_);
  }
  TargetSet set(std::vector<policy::Guard> guards) { return {std::move(guards), ProcessReader(proc_.string()), 1}; }
  policy::Guard app_guard() { return guard("apps", {.exe_globs = {app_.string()}}); }
};

TEST_F(FakeSet, NewGuardsAreRefusedWholeIfProcCannotBeListed) {
  put_process(proc_, {.pid = 10, .exe = app_});
  put_process(proc_, {.pid = 11, .exe = tool_});
  TargetSet targets = set({app_guard()});
  ASSERT_TRUE(targets.scan());
  fs::rename(proc_, scratch_.path() / "away");
  EXPECT_FALSE(targets.set_guards({guard("tools", {.exe_globs = {tool_.string()}})}));
  EXPECT_THAT(pids(targets), ElementsAre(10));
  fs::rename(scratch_.path() / "away", proc_);
  EXPECT_TRUE(targets.scan().value().empty()) << "the old guards hold, as if nobody had asked";
  EXPECT_EQ(targets.find(10)->guard, "apps");
}

TEST_F(FakeSet, ScanFindsWhatMatchesAndTellsOnlyChanges) {
  put_process(proc_, {.pid = 1, .exe = app_});  // the daemon itself
  put_process(proc_, {.pid = 10, .exe = app_});
  put_process(proc_, {.pid = 11, .exe = tool_});
  put_process(proc_, {.pid = 12, .exe = app_});
  put_process(proc_, {.pid = 13, .state = 'Z', .exe = app_});
  write_text(proc_ / "uptime", "1 1");
  TargetSet targets = set({app_guard()});
  EXPECT_THAT(targets.scan().value().added, SizeIs(2));
  EXPECT_THAT(pids(targets), ElementsAre(10, 12));
  EXPECT_TRUE(targets.scan().value().empty());
  fs::remove_all(proc_ / "10");
  EXPECT_THAT(targets.scan().value().removed, ElementsAre(ProcessId{.pid = 10, .start_ticks = 1000}));
}

TEST_F(FakeSet, FirstGuardInOrderWinsAndAReloadMovesIt) {
  put_process(proc_, {.pid = 10, .exe = app_});
  TargetSet targets = set({guard("first", {.comm_globs = {"app"}}), app_guard()});
  ASSERT_TRUE(targets.scan());
  EXPECT_EQ(targets.find(10)->guard, "first");
  const auto changes = targets.set_guards({app_guard(), guard("first", {.comm_globs = {"app"}})}).value();
  ASSERT_THAT(changes.changed, SizeIs(1));
  EXPECT_EQ(changes.changed[0].guard, "apps");
  EXPECT_THAT(changes.removed, IsEmpty());
  EXPECT_THAT(targets.set_guards({}).value().removed, SizeIs(1));
}

TEST_F(FakeSet, ReusedPidIsAnotherProcess) {
  put_process(proc_, {.pid = 10, .start_ticks = 1, .exe = app_});
  TargetSet targets = set({app_guard()});
  ASSERT_TRUE(targets.scan());
  put_process(proc_, {.pid = 10, .start_ticks = 2, .exe = app_});
  const auto changes = targets.scan().value();
  EXPECT_THAT(changes.removed, ElementsAre(ProcessId{.pid = 10, .start_ticks = 1}));
  ASSERT_THAT(changes.added, SizeIs(1));
  EXPECT_EQ(changes.added[0].id.start_ticks, 2U);
}

TEST_F(FakeSet, ChildIsATargetLikeItsParentUntilItExecs) {
  put_process(proc_, {.pid = 10, .exe = app_});
  TargetSet targets = set({guard("by pid", {.pids = {10}})});
  ASSERT_TRUE(targets.scan());
  put_process(proc_, {.pid = 20, .start_ticks = 2000, .exe = app_});
  ASSERT_THAT(targets.on_fork(10, 20).added, SizeIs(1));
  EXPECT_EQ(targets.find(20)->guard, "by pid");
  EXPECT_EQ(targets.find(20)->id.start_ticks, 2000U);
  EXPECT_EQ(targets.find(20)->root, proc_.string() + "/20/root");
  EXPECT_TRUE(targets.scan().value().empty()) << "a scan must not undo what a fork inherited";
  put_process(proc_, {.pid = 20, .comm = "tool", .start_ticks = 2000, .exe = tool_});
  EXPECT_THAT(targets.on_exec(20, 1000, "tool").removed, SizeIs(1));
  EXPECT_THAT(pids(targets), ElementsAre(10));
}

TEST_F(FakeSet, ExecWhoseEventWasLostIsSeenByTheScan) {
  put_process(proc_, {.pid = 10, .exe = app_});
  TargetSet targets = set({app_guard()});
  ASSERT_TRUE(targets.scan());
  put_process(proc_, {.pid = 20, .exe = app_});
  ASSERT_THAT(targets.on_fork(10, 20).added, SizeIs(1));
  put_process(proc_, {.pid = 20, .exe = tool_});
  EXPECT_THAT(targets.scan().value().removed, SizeIs(1));
}

TEST_F(FakeSet, DenyHoldsForChildren) {
  put_process(proc_, {.pid = 10, .exe = app_});
  TargetSet targets = set({guard("apps", {.exe_globs = {app_.string()}, .deny_pids = {20}})});
  ASSERT_TRUE(targets.scan());
  put_process(proc_, {.pid = 20, .exe = app_});
  EXPECT_TRUE(targets.on_fork(10, 20).empty());
}

TEST_F(FakeSet, EventsThatCannotMatchReadNothing) {
  TargetSet targets = set({guard("apps", {.exe_globs = {app_.string()}, .comm_globs = {"app"}})});
  ASSERT_TRUE(targets.scan());
  for (pid_t pid = 1000; pid < 1200; ++pid) {
    EXPECT_TRUE(targets.on_fork(999, pid).empty());
    EXPECT_TRUE(targets.on_exec(pid, 0, "sh").empty());
    EXPECT_TRUE(targets.on_exit(pid).empty());
  }
  EXPECT_EQ(targets.work().events, 600U);
  EXPECT_EQ(targets.work().filtered, 600U);
  EXPECT_EQ(targets.work().facts_read, 0U);
}

TEST_F(FakeSet, ProcessGoneBeforeItsExecIsReadIsNoTarget) {
  TargetSet targets = set({app_guard()});
  EXPECT_TRUE(targets.on_exec(77, 0, "app").empty());
  EXPECT_EQ(targets.work().gone, 1U);
  EXPECT_THAT(targets.unreadable(), IsEmpty());
}

TEST_F(FakeSet, LibrariesThatComeAfterTheExecAreFound) {
  TargetSet targets = set({app_guard()});
  FakeProcess process{.pid = 10, .exe = app_};
  put_process(proc_, process);
  ASSERT_THAT(targets.on_exec(10, 0, "app").added, SizeIs(1));
  EXPECT_TRUE(targets.settle().empty());
  process.maps = maps_line(app_, app_.string()) + maps_line(tool_, tool_.string(), 0x800000);
  put_process(proc_, process);
  const auto changes = targets.settle();
  ASSERT_THAT(changes.changed, SizeIs(1));
  EXPECT_THAT(changes.changed[0].binaries, SizeIs(2));
  for (unsigned read = 0; read < TargetSet::kStableReads; ++read) {
    EXPECT_TRUE(targets.has_unsettled());
    EXPECT_TRUE(targets.settle().empty());
  }
  EXPECT_FALSE(targets.has_unsettled());
}

TEST_F(FakeSet, ProcessThatNeverSettlesIsReadABoundedNumberOfTimes) {
  TargetSet targets = set({app_guard()});
  FakeProcess process{.pid = 10, .exe = app_};
  put_process(proc_, process);
  ASSERT_THAT(targets.on_exec(10, 0, "app").added, SizeIs(1));
  unsigned long address = 0x1000000;
  for (unsigned read = 0; read < 2 * TargetSet::kMaxSettleReads; ++read) {
    process.maps = maps_line(app_, app_.string(), address += 0x10000);
    put_process(proc_, process);
    (void)targets.settle();
  }
  EXPECT_EQ(targets.work().maps_read, 1U + TargetSet::kMaxSettleReads);
}

class RealSet : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  fs::path program_ = scratch_.path() / "napper";
  TargetSet targets_{{guard("nappers", {.exe_globs = {program_.string()}})}, ProcessReader("/proc"), ::getpid()};

  RealSet() { copy_program(fs::canonical("/bin/sleep"), program_); }
};

TEST_F(RealSet, FollowsForkExecAndExit) {
  ASSERT_TRUE(targets_.scan());
  ChildProcess child = ChildProcess::start({program_.string(), "1000"});
  EXPECT_TRUE(targets_.on_fork(::getpid(), child.pid()).empty()) << "the test itself is no target";
  ASSERT_TRUE(runs(child.pid(), "napper"));
  ASSERT_THAT(targets_.on_exec(child.pid(), ::getuid(), "napper").added, SizeIs(1));
  EXPECT_GE(targets_.find(child.pid())->binaries.size(), 2U) << "the program and libc";
  const pid_t pid = child.pid();
  child.end();
  EXPECT_THAT(targets_.on_exit(pid).removed, SizeIs(1));
  EXPECT_EQ(targets_.size(), 0U);
}

TEST_F(RealSet, TwoHundredShortLivedTargetsLeaveNothing) {
  for (int round = 0; round < 200; ++round) {
    ChildProcess child = ChildProcess::start({program_.string(), "0"});
    (void)targets_.on_exec(child.pid(), ::getuid(), "napper");  // anywhere between the fork and the end
    (void)targets_.settle();
    const pid_t pid = child.pid();
    child.wait();
    (void)targets_.on_exit(pid);
  }
  EXPECT_EQ(targets_.size(), 0U);
  EXPECT_FALSE(targets_.has_unsettled());
  EXPECT_LE(targets_.work().facts_read, 200U);
  EXPECT_LE(targets_.work().maps_read, 400U);
}

TEST_F(RealSet, ReplacedProgramIsToldAndTheNewOneIsAnotherFile) {
  const ChildProcess old_child = ChildProcess::start({program_.string(), "1000"});
  ASSERT_TRUE(runs(old_child.pid(), "napper"));
  ASSERT_THAT(targets_.scan().value().added, SizeIs(1));
  const fs::path fresh = scratch_.path() / "fresh";
  copy_program(fs::canonical("/bin/sleep"), fresh);
  fs::rename(fresh, program_);
  const ChildProcess new_child = ChildProcess::start({program_.string(), "1000"});
  ASSERT_TRUE(runs(new_child.pid(), "napper"));
  const auto changes = targets_.scan().value();
  EXPECT_THAT(changes.changed, SizeIs(1));
  EXPECT_THAT(changes.added, SizeIs(1));
  const MappedBinary& old_binary = targets_.find(old_child.pid())->binaries[0];
  const MappedBinary& new_binary = targets_.find(new_child.pid())->binaries[0];
  EXPECT_TRUE(old_binary.deleted);
  EXPECT_FALSE(new_binary.deleted);
  EXPECT_NE(old_binary.inode, new_binary.inode);
  EXPECT_EQ(old_binary.path, new_binary.path);
}

}  // namespace
}  // namespace raceguard::targets
