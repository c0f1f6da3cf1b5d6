// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_advice.h"

#include <gtest/gtest.h>

namespace raceguard::detect {
namespace {

LockUse use_of(rg_lock_kind kind, std::uint64_t reads, std::uint64_t writes, std::int64_t hold_ns) {
  LockUse use;
  use.kind = kind;
  use.seconds = 0.1;
  use.reads = reads;
  use.writes = writes;
  use.hold.counts.at(rg_histogram_bucket(static_cast<rg_u64>(hold_ns))) = reads + writes;
  use.max_hold_ns = hold_ns;
  use.paths = 3;
  use.write_paths = 1;
  use.many_threads = true;
  return use;
}

LockChange first_change(const LockUse& use) { return advise(use).front().change; }

TEST(LockAdviceTest, TooFewFiguresSayNothing) {
  const auto advice = advise(use_of(RG_LOCK_PTHREAD_RWLOCK, 9, 90, 1000));
  EXPECT_EQ(advice.front().change, LockChange::kTooFew);
  EXPECT_NE(advice.front().text.find("99 acquisitions"), std::string::npos);
}

TEST(LockAdviceTest, ARwlockThatIsWrittenToBecomesAMutex) {
  EXPECT_EQ(first_change(use_of(RG_LOCK_PTHREAD_RWLOCK, 699, 301, 1000)), LockChange::kMutex);
  EXPECT_EQ(first_change(use_of(RG_LOCK_PTHREAD_RWLOCK, 700, 300, 1000)), LockChange::kKeep);
}

TEST(LockAdviceTest, AMutexThatIsMostlyReadUnderBecomesARwlock) {
  EXPECT_EQ(first_change(use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 200, 1000)), LockChange::kReadWriteLock);
  EXPECT_EQ(first_change(use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 201, 1000)), LockChange::kKeep)
      << "less than five a write";
  EXPECT_EQ(first_change(use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 200, 190)), LockChange::kKeep) << "short holds";
  auto many = use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 100, 1000);
  many.write_paths = 4;
  EXPECT_EQ(first_change(many), LockChange::kKeep) << "written from many places";
}

TEST(LockAdviceTest, ProbesAreNoPartOfAHold) {
  auto use = use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 100, 600);
  use.probe_ns = 550;
  EXPECT_EQ(first_change(use), LockChange::kKeep);
}

TEST(LockAdviceTest, ShortReadsOfWhatIsReplacedWholeNeedNoLock) {
  auto use = use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 10, 100);
  use.replaces_whole = true;
  EXPECT_EQ(first_change(use), LockChange::kAtomicPointer);
}

TEST(LockAdviceTest, CodeThatDoesNotTellGivesNoAdvice) {
  auto use = use_of(RG_LOCK_PTHREAD_MUTEX, 1000, 10, 1000);
  use.unknown = 300;
  EXPECT_EQ(first_change(use), LockChange::kKeep);
}

TEST(LockAdviceTest, ManyStacksThatMeetInOnePlaceSplitAContendedLock) {
  auto use = use_of(RG_LOCK_PTHREAD_MUTEX, 0, 1000, 1000);
  use.busiest_share = 0.9;
  use.busiest_stacks = 5;
  EXPECT_EQ(advise(use).size(), 1U) << "nobody waits";
  use.contended = 100;
  ASSERT_EQ(advise(use).size(), 2U);
  EXPECT_EQ(advise(use)[1].change, LockChange::kSplit);
}

TEST(LockAdviceTest, OneThreadNeedsNothing) {
  auto use = use_of(RG_LOCK_PTHREAD_RWLOCK, 1, 999, 1000);
  use.many_threads = false;
  EXPECT_EQ(first_change(use), LockChange::kKeep);
}

}  // namespace
}  // namespace raceguard::detect
