// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/race_judge.h"

#include <gtest/gtest.h>

#include "tests/unit/detect/access_samples.h"

namespace raceguard::detect {
namespace {

using samples::access;
using samples::in_order;
using samples::subject;
using symbols::AccessMode;
using symbols::VariableKind;

class Judge : public testing::Test {
 protected:
  void pair(std::uint64_t generation, std::uint64_t id, const events::AccessEvent& held,
            const events::AccessEvent& other) {
    judge_.add(in_order(other, RG_ACCESS_OVERLAPS, generation, id), now_++);
    judge_.add(in_order(held, RG_ACCESS_HELD, generation, id), now_++);
  }
  events::AccessEvent write_ = access({.ip = 0x1010, .mode = AccessMode::kWrite, .tid = 11});
  events::AccessEvent read_ = access({.ip = 0x2020, .mode = AccessMode::kRead, .tid = 12});
  std::int64_t now_ = 1000;
  RaceJudge judge_{{}};
};

TEST_F(Judge, AnOverlapIsOneFindingWithBothSides) {
  judge_.begin(1, subject());
  pair(1, 5, write_, read_);
  pair(1, 6, read_, write_);
  ASSERT_EQ(judge_.findings().size(), 1U);
  const RaceFinding finding = judge_.findings().front();
  EXPECT_EQ(finding.verdict, Verdict::kProven);
  EXPECT_EQ(finding.count, 2U);
  ASSERT_EQ(finding.sites.size(), 2U);
  EXPECT_EQ(finding.sites[0].tid, 11);
  EXPECT_EQ(finding.sites[1].tid, 12);
  EXPECT_TRUE(judge_.proven(1));
}

TEST_F(Judge, AFindingKnowsHowLongItsVariableWasWatched) {
  judge_.begin(1, subject());
  judge_.end(1, 700);
  judge_.begin(2, subject());
  pair(2, 5, write_, read_);
  judge_.end(2, 100);
  judge_.begin(3, subject());
  judge_.end(3, 1000);
  WatchSubject other = subject();
  other.variable.name = "another";
  judge_.begin(4, other);
  judge_.end(4, 5000);
  ASSERT_EQ(judge_.findings().size(), 1U);
  EXPECT_EQ(judge_.findings().front().watched_ns, 1100) << "from the visit that found it on";
}

TEST_F(Judge, TheHeldSideMayComeFirst) {
  judge_.begin(1, subject());
  judge_.add(in_order(write_, RG_ACCESS_HELD, 1, 5), 1);
  judge_.add(in_order(read_, RG_ACCESS_OVERLAPS, 1, 5), 2);
  EXPECT_EQ(judge_.findings().size(), 1U);
}

TEST_F(Judge, OverlapsOfDifferentHoldsAreNotPaired) {
  judge_.begin(1, subject());
  judge_.add(in_order(write_, RG_ACCESS_HELD, 1, 5), 1);
  judge_.add(in_order(read_, RG_ACCESS_OVERLAPS, 1, 6), 2);
  EXPECT_TRUE(judge_.findings().empty());
}

TEST_F(Judge, AnObjectsTypeHoldsWhereItsFunctionIsOneSide) {
  WatchSubject member = subject();
  member.variable.global = false;
  member.variable.object_of = read_.stack.frames.front().function;
  judge_.begin(1, member);
  pair(1, 5, write_, read_);
  ASSERT_EQ(judge_.findings().size(), 1U);
  EXPECT_EQ(judge_.findings().front().verdict, Verdict::kProven);

  RaceJudge other{{}};  // two functions that may have another object there, whose member is an atomic
  member.variable.object_of = "elsewhere";
  other.begin(1, member);
  other.add(in_order(read_, RG_ACCESS_OVERLAPS, 1, 5), 1);
  other.add(in_order(write_, RG_ACCESS_HELD, 1, 5), 2);
  ASSERT_EQ(other.findings().size(), 1U);
  EXPECT_EQ(other.findings().front().verdict, Verdict::kInfo);
}

TEST_F(Judge, AnOrderThatHasEndedIsNotJudged) {
  judge_.begin(1, subject());
  judge_.end(1);
  pair(1, 5, write_, read_);
  EXPECT_TRUE(judge_.findings().empty());
}

TEST_F(Judge, TheLockThatOneSideLackedIsNamed) {
  judge_.begin(1, subject());
  write_.lock_states[0] = RG_LOCK_IS_MINE;
  read_.lock_states[0] = RG_LOCK_IS_OTHERS;
  pair(1, 5, write_, read_);
  ASSERT_EQ(judge_.findings().front().locks.size(), 1U);
  const RaceLock lock = judge_.findings().front().locks.front();
  EXPECT_EQ(lock.name, "counter_lock");
  EXPECT_TRUE(lock.held_by_first);
  EXPECT_FALSE(lock.held_by_second);
}

TEST_F(Judge, TheCLibrarysOwnLocksAreNoVariables) {
  const auto inside = [](events::AccessEvent event, const char* function) {
    event.stack.frames.front().binary = "/usr/lib/x86_64-linux-gnu/libc.so.6";
    event.stack.frames.front().function = function;
    return event;
  };
  judge_.begin(1, subject());
  pair(1, 5, inside(write_, "pthread_cond_signal"), inside(read_, "pthread_cond_wait"));
  EXPECT_TRUE(judge_.findings().empty());
  pair(1, 6, inside(write_, "memcpy"), inside(read_, "pthread_cond_wait"));
  EXPECT_EQ(judge_.findings().size(), 1U);
}

TEST_F(Judge, AnAtomicAccessSeenLaterTakesAProofBack) {
  judge_.begin(1, subject());
  pair(1, 5, write_, read_);
  ASSERT_EQ(judge_.findings().front().verdict, Verdict::kProven);
  judge_.add(in_order(access({.ip = 0x3030, .mode = AccessMode::kUpdate, .atomic = true}), RG_ACCESS_FIRST_SEEN, 1), 9);
  EXPECT_EQ(judge_.findings().front().verdict, Verdict::kInfo);
}

TEST_F(Judge, AValueThatChangesUnseenIsLikelyAfterTheSecondTime) {
  judge_.begin(1, subject());
  auto held = in_order(write_, RG_ACCESS_HELD, 1);
  held.value_after = 3;
  judge_.add(held, 1);
  EXPECT_TRUE(judge_.findings().empty());
  judge_.add(held, 2);
  ASSERT_EQ(judge_.findings().size(), 1U);
  EXPECT_EQ(judge_.findings().front().verdict, Verdict::kLikely);
  EXPECT_EQ(judge_.findings().front().evidence, RaceEvidence::kValueChange);
}

TEST_F(Judge, AValueThatChangesUnseenTellsNothingWithoutAType) {
  judge_.begin(1, subject(VariableKind::kUnknown));
  const auto held = in_order(write_, RG_ACCESS_HELD, 1);
  judge_.add(held, 1);
  judge_.add(held, 2);
  EXPECT_TRUE(judge_.findings().empty());
}

SiteCounts counts(const events::AccessEvent& event, std::uint64_t count, std::uint64_t held, std::uint64_t broken) {
  SiteCounts made;
  made.ip = event.ip;
  made.count = count;
  made.held[0] = held;
  made.broken[0] = broken;
  return made;
}

class Locks : public Judge {
 protected:
  void SetUp() override {
    judge_.begin(1, subject());
    judge_.add(in_order(write_, RG_ACCESS_FIRST_SEEN, 1), 1);
    judge_.add(in_order(read_, RG_ACCESS_FIRST_SEEN, 1), 2);
  }
};

TEST_F(Locks, ALockHeldNearlyAlwaysAndMissedBesideAnotherThreadsIsLikely) {
  judge_.judge_locks(1, {counts(write_, 990, 990, 0), counts(read_, 10, 0, 5)}, 9);
  ASSERT_EQ(judge_.findings().size(), 1U);
  EXPECT_EQ(judge_.findings().front().verdict, Verdict::kLikely);
  EXPECT_EQ(judge_.findings().front().locks.front().name, "counter_lock");
}

TEST_F(Locks, UnlockedAccessesAloneAreNotEnough) {
  judge_.judge_locks(1, {counts(write_, 990, 990, 0), counts(read_, 10, 0, 0)}, 9);
  EXPECT_TRUE(judge_.findings().empty()) << "they may be ordered by something else: a join, a queue";
}

TEST_F(Locks, ALockHeldNowAndThenIsNotTheVariablesLock) {
  judge_.judge_locks(1, {counts(write_, 900, 900, 0), counts(read_, 100, 0, 50)}, 9);
  EXPECT_TRUE(judge_.findings().empty());
}

TEST_F(Locks, FewAccessesTellNothing) {
  judge_.judge_locks(1, {counts(write_, 99, 99, 0), counts(read_, 3, 0, 3)}, 9);
  EXPECT_TRUE(judge_.findings().empty());
}

}  // namespace
}  // namespace raceguard::detect
