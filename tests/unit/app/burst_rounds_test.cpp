// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/app/burst_world.h"

namespace raceguard::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class BurstRoundsTest : public ::testing::Test {
 protected:
  void step() {
    rounds.step([] { return true; });
  }
  // Whatever is due within this time.
  void run_for(std::int64_t ns) {
    const std::int64_t end_ns = world.now_ns + ns;
    while (world.now_ns + rounds.pause_ns() <= end_ns) {
      world.now_ns += rounds.pause_ns();
      step();
    }
    world.now_ns = end_ns;
  }

  BurstWorld world;
  FakeBurstSource source{world};
  BurstRounds rounds{source, world};
};

TEST_F(BurstRoundsTest, ABurstAtOnceAndThenNotBeforeTheIntervalIsOver) {
  rounds.set_work(BurstWorld::work({1}));
  step();
  step();
  EXPECT_THAT(world.bursts, ElementsAre(1));
  world.now_ns += BurstWorld::kIntervalNs - 1;
  step();
  EXPECT_THAT(world.bursts, SizeIs(1));
  ++world.now_ns;
  step();
  EXPECT_THAT(world.bursts, ElementsAre(1, 1));
}

TEST_F(BurstRoundsTest, ADearBurstIsFollowedByALongerPause) {
  world.pause_ns = 3 * BurstWorld::kIntervalNs;
  rounds.set_work(BurstWorld::work({1}));
  step();
  EXPECT_EQ(rounds.pause_ns(), 3 * BurstWorld::kIntervalNs);
}

TEST_F(BurstRoundsTest, ProcessesTakeTurns) {
  rounds.set_work(BurstWorld::work({1, 2, 3}));
  run_for(2 * BurstWorld::kIntervalNs - 1);
  EXPECT_THAT(world.bursts, ElementsAre(1, 2, 3, 1, 2, 3));
}

TEST_F(BurstRoundsTest, FewAreKnownAtATimeAndAllGetTheirTurn) {
  rounds.set_work(BurstWorld::work({1, 2, 3, 4, 5, 6}));
  run_for(10 * BurstWorld::kIntervalNs);
  EXPECT_EQ(world.open, BurstRounds::kMostProcesses);
  EXPECT_EQ(rounds.view().guards.at(0).waiting, 2U);
  run_for(static_cast<std::int64_t>(3 * BurstRounds::kTurnBursts) * BurstWorld::kIntervalNs);
  EXPECT_LE(world.most_open, BurstRounds::kMostProcesses);
  for (const pid_t pid : {1, 2, 3, 4, 5, 6}) {
    EXPECT_GE(std::ranges::count(world.bursts, pid), static_cast<std::ptrdiff_t>(BurstRounds::kTurnBursts)) << pid;
  }
}

TEST_F(BurstRoundsTest, FiguresOfAGuardGrowWhateverItsProcessesDo) {
  rounds.set_work(BurstWorld::work({1, 2}));
  run_for(BurstWorld::kIntervalNs);
  const auto before = rounds.view().guards.at(0);
  EXPECT_EQ(before.bursts, world.bursts.size());
  EXPECT_EQ(before.hits, 100 * world.bursts.size());
  rounds.set_work(BurstWorld::work({2, 3}));
  run_for(BurstWorld::kIntervalNs);
  EXPECT_EQ(rounds.view().guards.at(0).bursts, world.bursts.size());
  EXPECT_EQ(rounds.view().guards.at(0).hits, 100 * world.bursts.size());
  EXPECT_GT(rounds.view().guards.at(0).hits, before.hits);
}

TEST_F(BurstRoundsTest, SameWorkLeavesThePaceAlone) {
  rounds.set_work(BurstWorld::work({1}));
  step();
  rounds.set_work(BurstWorld::work({1, 2}));
  step();
  step();
  EXPECT_THAT(world.bursts, ElementsAre(1, 2));
  EXPECT_EQ(world.opened, 2);
}

TEST_F(BurstRoundsTest, AnotherBudgetBeginsAnew) {
  rounds.set_work(BurstWorld::work({1}));
  step();
  rounds.set_work(BurstWorld::work({1}, 0.05));
  step();
  EXPECT_EQ(world.opened, 2);
  EXPECT_EQ(world.budget, 0.05);
  EXPECT_EQ(rounds.view().guards.at(0).limit, 0.05);
}

TEST_F(BurstRoundsTest, AKernelThatCannotIsToldAndNotAskedAgain) {
  world.refusal = Error(ErrorCode::kKernelUnsupported, "the kernel has no uprobe_multi links (6.6)");
  rounds.set_work(BurstWorld::work({1, 2}));
  run_for(10 * BurstWorld::kIntervalNs);
  EXPECT_THAT(rounds.view().trouble, HasSubstr("uprobe_multi"));
  EXPECT_TRUE(rounds.idle());
  EXPECT_EQ(world.opened, 1);
  world.refusal.reset();
  rounds.set_work(BurstWorld::work({1, 2}));
  step();
  EXPECT_THAT(world.bursts, SizeIs(1)) << "until the work changes";
}

TEST_F(BurstRoundsTest, AProcessWithoutLockFunctionsIsANote) {
  world.refusal = Error(ErrorCode::kSymbolNotFound, "no lock functions");
  rounds.set_work(BurstWorld::work({1}));
  step();
  world.refusal.reset();
  rounds.set_work(BurstWorld::work({1, 2}));
  run_for(3 * BurstWorld::kIntervalNs);
  EXPECT_THAT(rounds.view().guards.at(0).notes, ElementsAre(HasSubstr("process 1: ")));
  EXPECT_EQ(std::ranges::count(world.bursts, 1), 0);
  EXPECT_GT(std::ranges::count(world.bursts, 2), 1);
}

TEST_F(BurstRoundsTest, AProcessThatRunsAnotherProgramIsANewOne) {
  rounds.set_work(BurstWorld::work({1}));
  step();
  world.gone = true;
  run_for(BurstWorld::kIntervalNs);
  EXPECT_THAT(rounds.view().reports, IsEmpty());
  world.gone = false;
  run_for(BurstWorld::kIntervalNs);
  EXPECT_EQ(world.opened, 2);
  EXPECT_THAT(rounds.view().reports, SizeIs(1));
}

TEST_F(BurstRoundsTest, WithoutWorkTheKernelGetsAllBack) {
  rounds.set_work(BurstWorld::work({1}));
  step();
  rounds.set_work({});
  EXPECT_EQ(world.open, 0U);
  EXPECT_EQ(world.rests, 1);
  EXPECT_TRUE(rounds.idle());
  EXPECT_THAT(rounds.view().guards, IsEmpty());
}

}  // namespace
}  // namespace raceguard::app
