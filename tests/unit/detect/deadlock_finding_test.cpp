// SPDX-License-Identifier: Apache-2.0
// What a deadlock reads like.
#include "daemon/detect/deadlock_finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/detect/findings.h"
#include "tests/unit/detect/samples.h"

namespace raceguard::detect {
namespace {

DeadlockedThread thread(pid_t tid, const std::string& name, const std::string& lock, pid_t owner,
                        const std::string& function) {
  DeadlockedThread made;
  made.tid = tid;
  made.name = name;
  made.lock = lock;
  made.owner_tid = owner;
  if (!function.empty()) {
    made.stack = samples::lock_stack(samples::site(function, "/srv/shop", 41));
  }
  return made;
}

Deadlock pair() {
  Deadlock deadlock;
  deadlock.pid = 800;
  deadlock.process = "bank (800)";
  deadlock.threads = {thread(812, "worker-1", "audit_lock", 813, "transfer()"),
                      thread(813, "worker-2", "account_lock", 812, "audit()")};
  return deadlock;
}

TEST(DeadlockFinding, TellsWhoHoldsWhatAndWaitsWhere) {
  const Finding finding = deadlock_finding(pair(), "bank", 7);
  EXPECT_EQ(finding.kind, Finding::Kind::kDeadlock);
  EXPECT_EQ(finding.verdict, Verdict::kProven);
  EXPECT_EQ(finding.subject, "audit_lock, account_lock of process 800");
  EXPECT_EQ(finding.text,
            "threads 812 (worker-1) and 813 (worker-2) of bank (800) wait for each other: 812 holds account_lock and "
            "waits for audit_lock in transfer() at server.cpp:41; 813 holds audit_lock and waits for account_lock in "
            "audit() at server.cpp:41");
}

TEST(DeadlockFinding, WithoutAStackItNamesLockAndThread) {
  Deadlock deadlock = pair();
  deadlock.threads[0].stack = {};
  deadlock.threads[1].stack = {};
  deadlock.behind = 1;
  EXPECT_EQ(deadlock_finding(deadlock, "bank", 7).text,
            "threads 812 (worker-1) and 813 (worker-2) of bank (800) wait for each other: 812 holds account_lock and "
            "waits for audit_lock; 813 holds audit_lock and waits for account_lock; 1 more thread waits behind them");
}

TEST(DeadlockFinding, OfOneAndOfThree) {
  Deadlock deadlock = pair();
  deadlock.threads = {thread(812, "", "account_lock", 812, "transfer()")};
  deadlock.behind = 2;
  EXPECT_EQ(deadlock_finding(deadlock, "bank", 7).text,
            "thread 812 of bank (800) waits for itself: it holds account_lock and locks it again in transfer() at "
            "server.cpp:41; 2 more threads wait behind it");
  deadlock.threads = {thread(1, "", "b", 2, ""), thread(2, "", "c", 3, ""), thread(3, "", "a", 1, "")};
  deadlock.behind = 0;
  EXPECT_EQ(deadlock_finding(deadlock, "bank", 7).text,
            "threads 1, 2 and 3 of bank (800) wait for each other in a ring: 1 holds a and waits for b; 2 holds b and "
            "waits for c; 3 holds c and waits for a");
}

TEST(DeadlockFinding, AbandonedLock) {
  Deadlock deadlock = pair();
  deadlock.abandoned = true;
  deadlock.threads = {thread(812, "worker-1", "account_lock", 12, "transfer()")};
  EXPECT_EQ(
      deadlock_finding(deadlock, "bank", 7).text,
      "thread 812 (worker-1) of bank (800) waits for account_lock in transfer() at server.cpp:41, which nobody is "
      "left to unlock: its holder, thread 12, ended without letting go of it");
  deadlock.forked = true;
  deadlock.proven = false;
  const Finding finding = deadlock_finding(deadlock, "bank", 7);
  EXPECT_EQ(finding.verdict, Verdict::kLikely);
  EXPECT_THAT(finding.text, testing::EndsWith("which was forked while the lock was held"));
}

TEST(DeadlockFinding, IsOneInTheBookHoweverOftenSeen) {
  FindingBook book;
  EXPECT_EQ(book.merge({deadlock_finding(pair(), "bank", 7)}).size(), 1U);
  Deadlock more = pair();
  more.behind = 3;
  EXPECT_EQ(book.merge({deadlock_finding(more, "bank", 8)}).size(), 0U);
  ASSERT_EQ(book.list().size(), 1U);
  EXPECT_EQ(book.list()[0].count, 2U);
  EXPECT_EQ(book.list()[0].deadlock->behind, 3U);
}

}  // namespace
}  // namespace raceguard::detect
