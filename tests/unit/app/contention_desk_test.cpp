// SPDX-License-Identifier: Apache-2.0
#include "daemon/contention_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raceguard::app {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class ContentionDeskTest : public testing::Test, public Clock {
 protected:
  static constexpr double kHookNs = 1000;
  static constexpr pid_t kChatty = 42;
  static constexpr pid_t kQuiet = 43;

  std::int64_t monotonic_ns() const override { return now_ns; }
  std::int64_t realtime_ns() const override { return now_ns; }

  static policy::Policy policy_of(double chatty_budget) {
    policy::Policy made;
    made.guards.resize(3);
    made.guards[0].name = "unwatched";
    made.guards[0].contention.enabled = false;
    made.guards[1].name = "chatty";
    made.guards[1].contention.budget = chatty_budget;
    made.guards[2].name = "quiet";
    return made;
  }
  static plan::ProbePlan plan_of(std::vector<plan::TargetEntry> targets) {
    plan::ProbePlan plan;
    plan.targets = std::move(targets);
    return plan;
  }
  static plan::TargetEntry entry_of(pid_t pid, std::uint32_t guard) {
    return {.id = {.pid = pid, .start_ticks = 1}, .guard_index = guard, .contention = true};
  }

  void SetUp() override { desk.follow(plan_of({entry_of(kChatty, 1), entry_of(kQuiet, 2)})); }

  // A second of targets that use a CPU each; what the chatty one's calls cost besides the hook is `program_ns` each.
  std::vector<breaker::BudgetStep> second(std::uint64_t calls, std::uint64_t program_ns) {
    now_ns += kNsPerSecond;
    cpu_ns[kChatty] += kNsPerSecond;
    cpu_ns[kQuiet] += kNsPerSecond;
    (resting(kChatty) ? counted[1].resting_calls : counted[1].calls.runs) += calls;
    if (!resting(kChatty)) {
      counted[1].calls.timed += calls / 32;
      counted[1].calls.timed_ns += calls / 32 * program_ns;
    }
    auto steps = desk.tick(counted, kHookNs);
    for (const plan::TargetEntry& entry : desk.take_changes()) {
      rests[entry.id.pid] = entry.contention_rests;
    }
    return steps;
  }
  bool resting(pid_t pid) const { return rests.contains(pid) && rests.at(pid); }

  std::int64_t now_ns = 1000 * kNsPerSecond;
  std::map<pid_t, std::int64_t> cpu_ns;
  std::map<pid_t, bool> rests;
  std::vector<rg_contention_counters> counted = std::vector<rg_contention_counters>(3);
  ContentionDesk desk{policy_of(0.01), *this, [this](pid_t pid) { return cpu_ns[pid]; }};
};

TEST_F(ContentionDeskTest, ChargesTheHookAndTheProgramsTime) {
  EXPECT_THAT(second(3200, 500), IsEmpty());
  const auto view = desk.view();
  ASSERT_THAT(view, SizeIs(2)) << "a guard that watches no contention has no account";
  EXPECT_EQ(view[0].guard, "chatty");
  EXPECT_EQ(view[0].calls, 3200U);
  EXPECT_EQ(view[0].cost_ns, 3200 * 1500);
  EXPECT_NEAR(view[0].share, 0.0048, 1e-6);
  EXPECT_DOUBLE_EQ(view[0].limit, 0.01);
  EXPECT_EQ(view[1].cost_ns, 0);
  EXPECT_EQ(view[1].cpu_ns, kNsPerSecond);
}

TEST_F(ContentionDeskTest, OverItsBudgetOneGuardRestsAndTheOtherGoesOn) {
  const auto steps = second(32000, 1500);  // 8 % of its CPU time, 3.2 % while it rests
  ASSERT_THAT(steps, SizeIs(1));
  EXPECT_EQ(steps[0].group, "chatty");
  EXPECT_EQ(desk.view()[0].steps_less, 1U);
  static_cast<void>(second(32000, 1500));
  EXPECT_TRUE(resting(kChatty));
  EXPECT_FALSE(rests.contains(kQuiet));
  EXPECT_TRUE(desk.view()[0].resting);
  EXPECT_FALSE(desk.all_rest()) << "the other guard still wants to see futex calls";
}

TEST_F(ContentionDeskTest, AProcessThatComesDuringARestRestsToo) {
  static_cast<void>(second(320000, 1500));
  static_cast<void>(second(320000, 1500));
  ASSERT_TRUE(resting(kChatty));
  rests.clear();
  desk.follow(plan_of({entry_of(kChatty, 1), entry_of(kQuiet, 2), entry_of(99, 1)}));
  const auto changes = desk.take_changes();
  ASSERT_THAT(changes, SizeIs(2));
  EXPECT_TRUE(changes[0].contention_rests);
  EXPECT_TRUE(changes[1].contention_rests);
  EXPECT_THAT(desk.take_changes(), IsEmpty()) << "each once";
}

TEST_F(ContentionDeskTest, WhereAllRestNobodyNeedsToSeeFutexCalls) {
  policy::Policy alone = policy_of(0.01);
  alone.guards[2].contention.enabled = false;
  desk.reload(alone);
  static_cast<void>(second(320000, 1500));
  static_cast<void>(second(320000, 1500));
  EXPECT_TRUE(desk.all_rest());
}

TEST_F(ContentionDeskTest, AnotherBudgetBringsTheWatchBack) {
  static_cast<void>(second(320000, 1500));
  static_cast<void>(second(320000, 1500));
  ASSERT_TRUE(resting(kChatty));
  desk.reload(policy_of(1));
  for (const plan::TargetEntry& entry : desk.take_changes()) {
    rests[entry.id.pid] = entry.contention_rests;
  }
  EXPECT_FALSE(resting(kChatty));
  EXPECT_EQ(desk.view()[0].cost_ns > 0, true) << "the account goes on";
}

TEST_F(ContentionDeskTest, IsDueOnceASecond) {
  static_cast<void>(second(0, 0));
  EXPECT_FALSE(desk.is_due());
  now_ns += kNsPerSecond - 1;
  EXPECT_FALSE(desk.is_due());
  now_ns += 1;
  EXPECT_TRUE(desk.is_due());
}

}  // namespace
}  // namespace raceguard::app
