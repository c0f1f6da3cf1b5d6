// SPDX-License-Identifier: Apache-2.0
// Rings of waiting threads: found, not imagined, and believed at the second look.
#include "daemon/detect/deadlock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raceguard/clock.h"

namespace raceguard::detect {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr pid_t kPid = 800;
constexpr pid_t kNobody = 0;

BlockedThread blocked(pid_t tid, std::uint64_t lock, pid_t owner_tid, pid_t pid = kPid) {
  BlockedThread thread;
  thread.pid = pid;
  thread.tid = tid;
  thread.word = lock;
  thread.since_ns = tid * kNsPerSecond;
  thread.lock = {.kind = LockKind::kMutex, .address = lock, .owner = owner_tid == kNobody ? 99 : owner_tid};
  thread.owner_tid = owner_tid;
  return thread;
}

std::vector<pid_t> tids(const Knot& knot) {
  std::vector<pid_t> all;
  for (const BlockedThread& thread : knot.threads) {
    all.push_back(thread.tid);
  }
  return all;
}

TEST(Knots, ChainsThatEndWithAThreadThatWorksAreNone) {
  EXPECT_THAT(knots_of({}), IsEmpty());
  EXPECT_THAT(knots_of(std::vector{blocked(1, 0xa, 2), blocked(2, 0xb, 3), blocked(4, 0xa, 2)}), IsEmpty());
}

TEST(Knots, AThreadThatHasWhatItWaitsForIsARingOfOne) {
  const auto knots = knots_of(std::vector{blocked(5, 0xa, 5)});
  ASSERT_THAT(knots, SizeIs(1));
  EXPECT_FALSE(knots[0].abandoned);
  EXPECT_THAT(tids(knots[0]), ElementsAre(5));
}

TEST(Knots, TwoAndThreeWhateverTheirOrderBeginWithTheLowest) {
  auto knots = knots_of(std::vector{blocked(9, 0xa, 4), blocked(4, 0xb, 9)});
  ASSERT_THAT(knots, SizeIs(1));
  EXPECT_THAT(tids(knots[0]), ElementsAre(4, 9));
  knots = knots_of(std::vector{blocked(7, 0xc, 3), blocked(3, 0xa, 5), blocked(5, 0xb, 7)});
  ASSERT_THAT(knots, SizeIs(1));
  EXPECT_THAT(tids(knots[0]), ElementsAre(3, 5, 7)) << "each one's owner is the next";
}

TEST(Knots, ThoseWhoWaitForARingAreBehindItAndNotInIt) {
  const std::vector threads{blocked(10, 0xa, 1), blocked(11, 0xd, 10), blocked(1, 0xb, 2),
                            blocked(2, 0xa, 1),  blocked(20, 0xe, 30), blocked(12, 0xa, 1)};
  const auto knots = knots_of(threads);
  ASSERT_THAT(knots, SizeIs(1));
  EXPECT_THAT(tids(knots[0]), ElementsAre(1, 2));
  EXPECT_EQ(knots[0].behind, 3U) << "10 and 12 wait for 1, 11 for 10; 20 waits for one who works";
}

TEST(Knots, TwoRingsOfOneProcessAreTwo) {
  const auto knots =
      knots_of(std::vector{blocked(1, 0xa, 2), blocked(2, 0xb, 1), blocked(3, 0xc, 4), blocked(4, 0xd, 3)});
  ASSERT_THAT(knots, SizeIs(2));
  EXPECT_THAT(tids(knots[0]), ElementsAre(1, 2));
  EXPECT_THAT(tids(knots[1]), ElementsAre(3, 4));
}

TEST(Knots, AnOwnerIsAThreadOfTheSameProcess) {
  EXPECT_THAT(knots_of(std::vector{blocked(1, 0xa, 2, 800), blocked(2, 0xb, 1, 900)}), IsEmpty());
}

TEST(Knots, ALockWithoutALivingOwnerIsAbandonedForAllItsWaiters) {
  const auto knots = knots_of(std::vector{blocked(1, 0xa, kNobody), blocked(2, 0xb, 1), blocked(3, 0xa, kNobody)});
  ASSERT_THAT(knots, SizeIs(1));
  EXPECT_TRUE(knots[0].abandoned);
  EXPECT_THAT(tids(knots[0]), ElementsAre(1, 3));
  EXPECT_EQ(knots[0].behind, 1U);
}

TEST(KnotJudge, BelievesAtTheSecondReadingInARow) {
  KnotJudge judge;
  const auto ring = knots_of(std::vector{blocked(1, 0xa, 2), blocked(2, 0xb, 1)});
  EXPECT_THAT(judge.confirm(ring), IsEmpty());
  EXPECT_THAT(judge.confirm(ring), SizeIs(1));
  EXPECT_THAT(judge.confirm(ring), SizeIs(1));
  EXPECT_THAT(judge.confirm({}), IsEmpty()) << "it dissolved";
  EXPECT_THAT(judge.confirm(ring), IsEmpty()) << "and is a new one";
}

TEST(KnotJudge, OtherThreadsOrLocksAreAnotherRing) {
  KnotJudge judge;
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, 2), blocked(2, 0xb, 1)})), IsEmpty());
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, 2), blocked(2, 0xc, 1)})), IsEmpty());
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, 3), blocked(3, 0xc, 1)})), IsEmpty());
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, 3, 900), blocked(3, 0xc, 1, 900)})), IsEmpty());
}

TEST(KnotJudge, MoreWaitersOfAnAbandonedLockAreTheSameKnot) {
  KnotJudge judge;
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, kNobody)})), IsEmpty());
  EXPECT_THAT(judge.confirm(knots_of(std::vector{blocked(1, 0xa, kNobody), blocked(2, 0xa, kNobody)})), SizeIs(1));
}

TEST(StaleOwner, BeganAfterSomebodyWaitedForItsLock) {
  EXPECT_FALSE(is_stale_owner(5 * kNsPerSecond, 6 * kNsPerSecond));
  EXPECT_FALSE(is_stale_owner(5 * kNsPerSecond + 10 * kNsPerMs, 5 * kNsPerSecond)) << "starts are known to 10 ms";
  EXPECT_TRUE(is_stale_owner(6 * kNsPerSecond, 5 * kNsPerSecond)) << "the number was reused";
}

}  // namespace
}  // namespace raceguard::detect
