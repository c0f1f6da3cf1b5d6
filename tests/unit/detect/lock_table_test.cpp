// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_table.h"

#include <gtest/gtest.h>

#include "tests/unit/detect/samples.h"

namespace raceguard::detect {
namespace {

using events::LockStackEvent;

constexpr std::uint64_t kLock = 0x5000;

LockTableOptions with_symbol() {
  return {.data_symbol = [](const LockId& id) -> std::optional<std::string> {
            return id.address == kLock ? std::optional<std::string>("inventory_lock") : std::nullopt;
          },
          .guard_of = [](pid_t) { return "shop"; }};
}

TEST(LockTable, CountersBecomeFiguresAndDeltasOfATick) {
  LockTable table(with_symbol());
  const LockInput first[] = {samples::lock(kLock, 10, 1'000'000)};
  table.update(kNsPerSecond, first);
  const LockInput second[] = {samples::lock(kLock, 15, 1'000'000)};
  table.update(2 * kNsPerSecond, second);
  ASSERT_EQ(table.last_tick().size(), 1U);
  EXPECT_EQ(table.last_tick()[0].sums.waits, 5U);
  EXPECT_EQ(table.last_tick()[0].wait.total(), 5U);
  EXPECT_EQ(table.recent(2 * kNsPerSecond)[0].sums.waits, 15U);
  EXPECT_EQ(table.recent(11 * kNsPerSecond)[0].sums.waits, 5U) << "the first second has left the window";
  const auto figures = table.figures(10);
  ASSERT_EQ(figures.size(), 1U);
  EXPECT_EQ(figures[0].name, "inventory_lock");
  EXPECT_EQ(figures[0].guard, "shop");
  EXPECT_EQ(figures[0].waits, 15U);
  EXPECT_EQ(figures[0].total_wait_ns, 15'000'000);
  EXPECT_EQ(figures[0].longest_wait_ns, 1'000'000);
}

TEST(LockTable, ALockWithoutNewWaitsIsNotInTheTick) {
  LockTable table(with_symbol());
  const LockInput reading[] = {samples::lock(kLock, 10, 1'000'000)};
  table.update(kNsPerSecond, reading);
  table.update(2 * kNsPerSecond, reading);
  EXPECT_TRUE(table.last_tick().empty());
}

TEST(LockTable, CountersThatStartAnewAddUp) {
  LockTable table(with_symbol());
  const LockInput before[] = {samples::lock(kLock, 10, 1'000'000)};
  const LockInput after[] = {samples::lock(kLock, 3, 1'000'000)};
  table.update(kNsPerSecond, before);
  table.update(2 * kNsPerSecond, after);
  EXPECT_EQ(table.last_tick().at(0).sums.waits, 3U);
  EXPECT_EQ(table.figures(1).at(0).waits, 13U);
}

TEST(LockTable, ALockOnTheHeapIsNamedByWhoTookItFirst) {
  LockTable table(with_symbol());
  table.add(samples::waiter(samples::lock_stack(samples::site("shop::restock(int)", "/srv/shop", 88)), 0x9000, 5));
  table.add(samples::waiter(samples::lock_stack(samples::site("shop::sell(int)", "/srv/shop", 20)), 0x9000, 5));
  EXPECT_EQ(table.figures(1).at(0).name, "lock first taken in shop::restock() at server.cpp:88");
}

TEST(LockTable, AnUnnamedCallerIsToldWithTheNextNameOutwards) {
  LockTable table(with_symbol());
  symbols::CodeSite unnamed = samples::site("", "/usr/sbin/mariadbd");
  unnamed.address = 0xde2b6d;
  table.add(samples::waiter(
      samples::stack({samples::site("pthread_mutex_lock"), unnamed, samples::site("", "/usr/sbin/mariadbd"),
                      samples::site("ha_commit_trans(THD*, bool)", "/usr/sbin/mariadbd")}),
      0x9000, 5));
  EXPECT_EQ(table.figures(1).at(0).name, "lock first taken in 0xde2b6d in mariadbd, called by ha_commit_trans()");
}

TEST(LockTable, ALockThatCallsFutexItselfIsNotNamedAfterItsOwnCode) {
  LockTable table(with_symbol());
  symbols::CodeSite own = samples::site("", "/usr/sbin/mariadbd");
  symbols::CodeSite user = own;
  user.address = 0x72dffa;
  table.add(samples::waiter(samples::stack({samples::site("syscall", "/usr/lib/libc.so.6"), own, user,
                                            samples::site("ha_commit_trans(THD*, bool)", "/usr/sbin/mariadbd")}),
                            0x9000, 5));
  table.add(samples::waiter(samples::stack({samples::site("syscall", "/usr/lib/libc.so.6"), own}), 0xa000, 5));
  EXPECT_EQ(table.figures(2).at(0).name, "lock first taken in 0x72dffa in mariadbd, called by ha_commit_trans()");
  EXPECT_NE(table.figures(2).at(1).name, "lock at 0xa000") << "nobody else is known: it is better than nothing";
}

TEST(LockTable, AnUntrustedStackNamesNothing) {
  LockTable table(with_symbol());
  events::Stack stack = samples::lock_stack(samples::site("garbage()"));
  stack.trust = events::StackTrust::kUntrusted;
  stack.reliable_frames = 2;
  table.add(samples::waiter(stack, 0x9000, 5));
  EXPECT_EQ(table.figures(1).at(0).name, "lock at 0x9000");
}

TEST(LockTable, SitesAreRankedByTimeWaitedAndHoldersByCount) {
  LockTable table(with_symbol());
  table.add(samples::waiter(samples::lock_stack(samples::site("cheap()")), kLock, 10));
  table.add(samples::waiter(samples::lock_stack(samples::site("cheap()")), kLock, 10));
  table.add(samples::waiter(samples::lock_stack(samples::site("dear()")), kLock, 1000));
  table.add(samples::holder(samples::lock_stack(samples::site("seldom()")), kLock));
  table.add(samples::holder(samples::lock_stack(samples::site("restock()")), kLock));
  table.add(samples::holder(samples::lock_stack(samples::site("restock()")), kLock));
  const LockFigures lock = table.figures(1).at(0);
  ASSERT_EQ(lock.waiters.size(), 2U);
  EXPECT_EQ(lock.waiters[0].stack->frames.at(2).function, "dear()");
  EXPECT_EQ(lock.waiters[1].count, 2U);
  EXPECT_EQ(lock.waiters[1].total_wait_ns, 20);
  EXPECT_EQ(lock.holders.at(0).stack->frames.at(2).function, "restock()");
  EXPECT_EQ(table.main_holder({.pid = 7, .address = kLock})->count, 2U);
}

TEST(LockTable, SitesBeyondTheTopAreCountedAsOther) {
  LockTable table(with_symbol());
  for (int i = 0; i < 100; ++i) {
    table.add(samples::waiter(samples::lock_stack(samples::site("f" + std::to_string(i))), kLock, 10));
    table.add(samples::waiter(samples::lock_stack(samples::site("hot()")), kLock, 10));
  }
  const LockFigures lock = table.figures(1).at(0);
  EXPECT_EQ(lock.waiters.size(), kRankedSitesShown);
  EXPECT_EQ(lock.waiters[0].stack->frames.at(2).function, "hot()");
  EXPECT_EQ(lock.waiters[0].count, 100U);
  std::uint64_t shown = 0;
  for (const RankedSite& ranked : lock.waiters) {
    shown += ranked.count;
  }
  EXPECT_EQ(shown + lock.other_waiters, 200U);
}

TEST(LockTable, TheStackTellsConditionsFromLocks) {
  LockTable table(with_symbol());
  LockStackEvent idle =
      samples::waiter(samples::stack({samples::site("pthread_cond_wait"), samples::site("queue()")}), 0x9000, 5);
  idle.wait_kind = LockStackEvent::WaitKind::kCondition;
  table.add(idle);
  const LockInput readings[] = {samples::lock(0x9000, 100, 1'000'000'000), samples::lock(kLock, 1, 1000)};
  table.update(kNsPerSecond, readings);
  const auto figures = table.figures(2);
  EXPECT_EQ(figures.at(0).name, "inventory_lock") << "locks come before conditions, however long these waited";
  EXPECT_EQ(figures.at(1).wait_kind, LockStackEvent::WaitKind::kCondition)
      << "the kernel's class gives way to the stack";
  EXPECT_EQ(figures.at(1).name, "condition awaited in queue()+0x0 in shop");
}

TEST(LockTable, AWordOnceSeenAsALockStaysOne) {
  LockTable table(with_symbol());
  table.add(samples::waiter(samples::lock_stack(samples::site("f()")), kLock, 5));
  table.add(samples::waiter(samples::stack({samples::site("pthread_cond_wait"), samples::site("f()")}), kLock, 5));
  EXPECT_EQ(table.figures(1).at(0).wait_kind, LockStackEvent::WaitKind::kLock);
}

TEST(LockTable, AProcessThatIsGoneTakesItsLocksAlong) {
  LockTable table(with_symbol());
  const LockInput readings[] = {samples::lock(kLock, 1, 1, 7), samples::lock(kLock, 1, 1, 8),
                                samples::lock(kLock, 1, 1, 9)};
  table.update(kNsPerSecond, readings);
  table.forget_process(8);
  EXPECT_EQ(table.size(), 2U);
  for (const LockFigures& lock : table.figures(10)) {
    EXPECT_NE(lock.pid, 8);
  }
}

TEST(LockTable, MakesRoomByGivingUpTheLocksThatWereNotWaitedForLongest) {
  LockTableOptions options = with_symbol();
  options.max_locks = 8;
  LockTable table(options);
  std::vector<LockInput> readings;
  for (std::uint64_t address = 1; address <= 7; ++address) {
    readings.push_back(samples::lock(address, 1, 1000));
    readings.back().counters.last_ns = 100 - address;
  }
  readings[6].counters.waiters = 1;
  table.update(kNsPerSecond, std::span(readings).first(6));
  EXPECT_TRUE(table.make_room().empty()) << "three quarters are not full";
  table.update(kNsPerSecond, readings);
  const auto given_up = table.make_room();
  ASSERT_EQ(given_up.size(), 2U) << "the oldest has a waiter and stays";
  EXPECT_EQ(given_up[0].address + given_up[1].address, 5U + 6U);
  EXPECT_EQ(table.size(), 5U);
}

TEST(LockTable, IsBoundedAndCountsWhatDidNotFit) {
  LockTableOptions options = with_symbol();
  options.max_locks = 300;
  LockTable table(options);
  for (std::uint64_t address = 1; address <= 301; ++address) {
    for (int i = 0; i < 5; ++i) {
      table.add(samples::waiter(samples::lock_stack(samples::site("f" + std::to_string(i))), address, 1));
    }
  }
  EXPECT_EQ(table.size(), 300U);
  EXPECT_EQ(table.losses().samples, 5U);
  EXPECT_GT(table.losses().sites, 0U);
  std::size_t kept = 0;
  for (const LockFigures& lock : table.figures(1000)) {
    kept += lock.waiters.size();
  }
  EXPECT_LE(kept, kSitesOfAllLocks);
  EXPECT_GT(kept, kSitesOfAllLocks - 10);
}

}  // namespace
}  // namespace raceguard::detect
