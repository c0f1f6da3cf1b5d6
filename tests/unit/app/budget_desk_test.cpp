// SPDX-License-Identifier: Apache-2.0
#include "daemon/budget_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/app/budget_desk_world.h"

namespace raceguard::app {
namespace {

using Kind = breaker::BudgetStep::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint32_t kHot = 3;
constexpr std::uint32_t kCold = 4;

class BudgetDeskTest : public testing::Test {
 protected:
  void SetUp() override {
    desk.learn_costs();
    desk.follow(DeskWorld::plan_of({DeskWorld::probe_of(kHot, "hot"), DeskWorld::probe_of(kCold, "cold")}));
  }

  // A tenth of a second of a target that uses `cpus`.
  std::vector<breaker::BudgetStep> tick(std::uint64_t hot, std::uint64_t cold, double cpus = 1) {
    world.now_ns += kNsPerSecond / 10;
    world.cpu_ns[DeskWorld::kTarget] += static_cast<std::int64_t>(cpus * kNsPerSecond / 10);
    world.call(kHot, hot);
    world.call(kCold, cold);
    return desk.tick(world.readings());
  }

  std::vector<detect::FunctionFigures> figures() const {
    std::vector<detect::FunctionFigures> list(2);
    list[0].function_id = kHot;
    list[1].function_id = kCold;
    desk.add_costs(list);
    return list;
  }

  std::vector<std::string> left_out() const {
    plan::ProbePlan plan = DeskWorld::plan_of({DeskWorld::probe_of(kHot, "hot"), DeskWorld::probe_of(kCold, "cold")});
    desk.left_out().leave_out(plan);
    std::vector<std::string> names;
    for (const plan::Omission& omission : plan.omissions) {
      names.push_back(omission.what);
    }
    return names;
  }

  DeskWorld world;
  BudgetDesk desk{world.policy, world, 1, world.sources()};
};

TEST_F(BudgetDeskTest, ChargesEntriesAndReturnsAtWhatWasMeasured) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(tick(10, 1), IsEmpty());
  }
  const auto costs = figures();
  EXPECT_EQ(costs[0].cost_ns, 200 * 3000);
  EXPECT_EQ(costs[1].cost_ns, 20 * 3000);
  EXPECT_EQ(costs[0].added_ns, 3000);
  EXPECT_NEAR(costs[0].cost_share, 10 * 3000 / 1e8, 1e-5);
  const exporting::BudgetView view = desk.view();
  EXPECT_TRUE(view.calibrated);
  ASSERT_THAT(view.guards, SizeIs(1));
  EXPECT_EQ(view.guards[0].hits, 440U);
  EXPECT_EQ(view.guards[0].cost_ns, 220 * 3000);
  EXPECT_EQ(view.guards[0].cpu_ns, 2 * kNsPerSecond);
}

TEST_F(BudgetDeskTest, ChargesTheProgramsOwnTime) {
  world.counters[kHot].timed = 10;
  world.counters[kHot].timed_ns = 5000;
  tick(100, 0);
  EXPECT_EQ(figures()[0].cost_ns, 100 * (3000 + 2 * 500));
}

TEST_F(BudgetDeskTest, OneProgramThatLostItsCpuMakesNoProbeDear) {
  world.counters[kHot].timed = 5;
  world.counters[kHot].timed_ns = 4 * 500 + 200'000;
  world.counters[kHot].timed_long = 1;
  world.counters[kHot].timed_long_ns = 200'000;
  EXPECT_THAT(tick(10, 0), IsEmpty());
  EXPECT_EQ(desk.view().guards[0].cost_ns, 10 * (1000 + 500 + 2000 + 500));
}

TEST_F(BudgetDeskTest, AProgramThatIsOftenLongIsChargedAsItIs) {
  world.counters[kHot].timed = 8;
  world.counters[kHot].timed_ns = 4 * 1000 + 4 * 39'000;
  world.counters[kHot].timed_long = 4;
  world.counters[kHot].timed_long_ns = 4 * 39'000;
  static_cast<void>(tick(10, 0));
  EXPECT_EQ(desk.view().guards[0].cost_ns, 10 * (1000 + 20'000 + 2000 + 20'000));
}

TEST_F(BudgetDeskTest, ChargesForeignHits) {
  world.counters[kCold].foreign = 50;
  tick(0, 0);
  EXPECT_EQ(figures()[1].cost_ns, 50 * 3000);
  EXPECT_EQ(desk.view().guards[0].foreign_hits, 100U);
}

TEST_F(BudgetDeskTest, TheHotFunctionGoesAtTheFirstTick) {
  const auto steps = tick(20'000, 10);
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].kind, Kind::kExempt);
  EXPECT_EQ(steps[0].name, "hot");
  EXPECT_THAT(left_out(), ElementsAre("function hot"));
  ASSERT_THAT(desk.view().exemptions, SizeIs(1));
  EXPECT_EQ(desk.view().exemptions[0].state, exporting::ExemptionView::State::kExempt);
}

TEST_F(BudgetDeskTest, WithoutSessionsNothingIsSampled) {
  std::vector<breaker::BudgetStep> steps;
  for (int i = 0; i < 200 && steps.empty(); ++i) {
    steps = tick(500, 0);  // 1.5 %
  }
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].kind, Kind::kExempt);
}

class BudgetDeskWithSessions : public BudgetDeskTest {
 protected:
  BudgetDeskWithSessions() { desk_with_sessions.learn_costs(); }
  BudgetDesk desk_with_sessions{world.policy, world, 1, with_sessions(world)};

 private:
  static BudgetSources with_sessions(DeskWorld& world) {
    world.sessions = true;
    return world.sources();
  }
};

TEST_F(BudgetDeskWithSessions, TheReturnsOfAWarmFunctionAreSampled) {
  const std::vector<plan::FunctionProbe> probes = {DeskWorld::probe_of(kHot, "hot"),
                                                   DeskWorld::probe_of(kCold, "cold")};
  desk_with_sessions.follow(DeskWorld::plan_of(probes));
  std::vector<breaker::BudgetStep> steps;
  for (int i = 0; i < 200 && steps.empty(); ++i) {
    world.now_ns += kNsPerSecond / 10;
    world.cpu_ns[DeskWorld::kTarget] += kNsPerSecond / 10;
    world.call(kHot, 500);  // 1.5 %, of which the entries are 0.5 %
    steps = desk_with_sessions.tick(world.readings());
  }
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].kind, Kind::kSample);
  plan::ProbePlan plan = DeskWorld::plan_of(probes);
  desk_with_sessions.left_out().leave_out(plan);
  desk_with_sessions.returns().apply(plan);
  ASSERT_THAT(plan.functions, SizeIs(2));
  EXPECT_EQ(plan.functions[0].return_shift, breaker::kReturnShifts[1]);
  EXPECT_EQ(plan.functions[1].return_shift, 0);

  desk_with_sessions.follow(plan);
  std::vector<detect::FunctionFigures> figures(1);
  figures[0].function_id = kHot;
  desk_with_sessions.add_costs(figures);
  EXPECT_DOUBLE_EQ(figures[0].return_share, 0.25);
  EXPECT_EQ(figures[0].added_ns, 1500) << "an entry, and a quarter of a return";
  const auto limited = desk_with_sessions.view().exemptions;
  ASSERT_THAT(limited, SizeIs(1));
  EXPECT_EQ(limited[0].state, exporting::ExemptionView::State::kSampled);
}

// A function that is called 10,000 times a second, whose callers feel `felt_ns` for each return that is seen.
class FeltReturns : public BudgetDeskWithSessions {
 protected:
  FeltReturns() {
    world.policy = DeskWorld::policy_with(0.05);
    desk_with_sessions.reload(world.policy);
    desk_with_sessions.follow(DeskWorld::plan_of({DeskWorld::probe_of(kHot, "hot")}));
  }

  std::vector<breaker::BudgetStep> tick_feeling(double felt_ns) {
    constexpr std::uint64_t kCalls = 1000;
    world.now_ns += kNsPerSecond / 10;
    world.counters[kHot].calls += kCalls;
    world.counters[kHot].returns += hidden ? 0 : kCalls;
    world.cpu_ns[DeskWorld::kTarget] += static_cast<std::int64_t>(90e6 + (hidden ? 0 : felt_ns * kCalls));
    auto steps = desk_with_sessions.tick(world.readings());
    for (const plan::FunctionProbe& probe : desk_with_sessions.take_hidden_changes()) {
      EXPECT_EQ(probe.function_id, kHot);
      hidden = probe.return_shift == RG_RETURNS_NONE;
      ++changes;
    }
    return steps;
  }

  bool hidden = false;
  int changes = 0;
};

TEST_F(FeltReturns, AsChargedNothingHappensAndTheModelIsKnownToBeRight) {
  for (int i = 0; i < 600; ++i) {
    ASSERT_THAT(tick_feeling(DeskWorld::kReturnNs), IsEmpty());
  }
  const auto model = desk_with_sessions.view().guards[0].model;
  EXPECT_TRUE(model.known);
  EXPECT_NEAR(model.felt, 1, 0.05);
  EXPECT_GT(changes, 30);
  EXPECT_FALSE(hidden) << "the series is over";
}

TEST_F(FeltReturns, ManyTimesAsMuchOpensTheFuseAfterTwoSeries) {
  std::vector<breaker::BudgetStep> steps;
  int ticks = 0;
  while (steps.empty() && ++ticks < 2000) {
    steps = tick_feeling(10 * DeskWorld::kReturnNs);
  }
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].kind, Kind::kFuseOpen);
  EXPECT_THAT(steps[0].reason, testing::HasSubstr("shop feels its probes 10 times as much as they are charged with"));
  EXPECT_GT(ticks, 600) << "one series may be chance";
  EXPECT_FALSE(hidden);
}

TEST_F(BudgetDeskWithSessions, WhoIsNoTargetPaysForTheEntryAlone) {
  desk_with_sessions.follow(DeskWorld::plan_of({DeskWorld::probe_of(kCold, "cold")}));
  world.counters[kCold].foreign = 50;
  desk_with_sessions.tick(world.readings());
  EXPECT_EQ(desk_with_sessions.view().guards[0].cost_ns, 50 * 1000);
}

TEST_F(BudgetDeskWithSessions, AReturnThatIsSeenInPlaceCostsAHitThereAndIsNotSampled) {
  plan::FunctionProbe probe = DeskWorld::probe_of(kCold, "cold");
  probe.returns = {{.kind = symbols::SiteKind::kSingleStepped, .is_return = true}};
  desk_with_sessions.follow(DeskWorld::plan_of({probe}));
  world.call(kCold, 10);
  desk_with_sessions.tick(world.readings());
  EXPECT_EQ(desk_with_sessions.view().guards[0].cost_ns, 10 * (1000 + 700)) << "single-stepped, on a bare machine: 700";
  EXPECT_THAT(desk_with_sessions.take_hidden_changes(), IsEmpty());
}

TEST_F(BudgetDeskTest, AnExemptionIsTheFunctionsAndNotTheSlots) {
  tick(20'000, 0);
  // Its target restarted: another process, another slot, the same file.
  desk.follow(DeskWorld::plan_of({DeskWorld::probe_of(kCold, "cold")}));
  EXPECT_THAT(left_out(), ElementsAre("function hot"));
  plan::FunctionProbe other = DeskWorld::probe_of(kHot, "hot");
  other.binary.inode = 8;
  plan::ProbePlan replaced = DeskWorld::plan_of({other});
  desk.left_out().leave_out(replaced);
  EXPECT_THAT(replaced.functions, SizeIs(1)) << "another file";
}

TEST_F(BudgetDeskTest, ASlotThatIsUsedAgainOwesNothing) {
  tick(10, 0);
  desk.follow(DeskWorld::plan_of({DeskWorld::probe_of(kCold, "cold")}));
  world.counters.erase(kHot);
  desk.follow(DeskWorld::plan_of({DeskWorld::probe_of(kHot, "other"), DeskWorld::probe_of(kCold, "cold")}));
  tick(5, 0);
  EXPECT_EQ(figures()[0].cost_ns, 5 * 3000);
}

TEST_F(BudgetDeskTest, AnotherBudgetBringsThemBack) {
  tick(20'000, 0);
  desk.reload(world.policy);
  EXPECT_THAT(left_out(), ElementsAre("function hot"));
  desk.reload(DeskWorld::policy_with(1));
  EXPECT_THAT(left_out(), IsEmpty());
  EXPECT_THAT(desk.view().exemptions, IsEmpty());
}

TEST_F(BudgetDeskTest, TheFuseLeavesAllOut) {
  world.counters[kHot].timed = 100;
  world.counters[kHot].timed_ns = 100 * 150'000;
  world.counters[kHot].timed_long = 100;
  world.counters[kHot].timed_long_ns = 100 * 150'000;
  const auto steps = tick(100, 0);
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(steps[0].kind, Kind::kFuseOpen);
  EXPECT_THAT(left_out(), SizeIs(2));
  EXPECT_TRUE(desk.view().fuse_open);
}

TEST_F(BudgetDeskTest, ATargetThatEndedTakesNothingBack) {
  tick(10, 0);
  world.cpu_ns.clear();  // 0: it is gone
  for (int i = 0; i < 10; ++i) {
    tick(0, 0, 0);
  }
  EXPECT_GE(desk.view().guards[0].cpu_ns, 0);
}

}  // namespace
}  // namespace raceguard::app
