// SPDX-License-Identifier: Apache-2.0
#include "bpf/held_locks.h"

#include <gtest/gtest.h>

namespace {

rg_held held(rg_u64 address, rg_u32 calls = RG_LOCK_PTHREAD_MUTEX) {
  return {.address = address, .since_ns = 0, .ip = 0, .calls = calls, .depth = 0};
}

rg_burst_thread thread_with(std::initializer_list<rg_held> locks) {
  rg_burst_thread thread{};
  for (const rg_held& lock : locks) {
    EXPECT_TRUE(rg_push_held(&thread, &lock));
  }
  return thread;
}

TEST(HeldLocksTest, KeepsTheirOrderWhenOneInTheMiddleGoes) {
  auto thread = thread_with({held(1), held(2), held(3)});
  rg_remove_held(&thread, rg_find_held(&thread, 2));
  EXPECT_EQ(thread.count, 2U);
  EXPECT_EQ(thread.held[0].address, 1U);
  EXPECT_EQ(thread.held[1].address, 3U);
  EXPECT_EQ(rg_find_held(&thread, 2), RG_NOT_HELD);
}

TEST(HeldLocksTest, AreBounded) {
  rg_burst_thread thread{};
  for (rg_u64 i = 1; i <= RG_HELD_LOCKS; ++i) {
    const rg_held lock = held(i);
    EXPECT_TRUE(rg_push_held(&thread, &lock));
  }
  const rg_held one_more = held(99);
  EXPECT_FALSE(rg_push_held(&thread, &one_more));
  rg_remove_held(&thread, RG_HELD_LOCKS - 1);
  EXPECT_EQ(rg_find_held(&thread, RG_HELD_LOCKS), RG_NOT_HELD);
  EXPECT_EQ(rg_find_held(&thread, RG_HELD_LOCKS - 1), RG_HELD_LOCKS - 2U);
}

TEST(HeldLocksTest, ANewBurstKnowsNothing) {
  auto thread = thread_with({held(1)});
  rg_begin_burst(&thread, 7);
  EXPECT_EQ(thread.count, 0U);
  const rg_held lock = held(2);
  EXPECT_TRUE(rg_push_held(&thread, &lock));
  rg_begin_burst(&thread, 7);
  EXPECT_EQ(thread.count, 1U);
}

TEST(HeldLocksTest, AThreadIsSettledOnceItLetAllGo) {
  auto thread = thread_with({held(1), held(2)});
  rg_remove_held(&thread, 1);
  EXPECT_FALSE(rg_is_settled(&thread));
  rg_remove_held(&thread, 0);
  EXPECT_TRUE(rg_is_settled(&thread));
  rg_begin_burst(&thread, 9);
  EXPECT_FALSE(rg_is_settled(&thread));
}

TEST(HeldLocksTest, AnUnseenLockThatIsLetGoPutsEarlierOrdersInDoubt) {
  rg_burst_thread thread{};
  rg_doubt(&thread);
  EXPECT_EQ(thread.flags & RG_THREAD_DOUBTED, 0U) << "it has none";
  thread.flags |= RG_THREAD_ORDERED;
  thread.emptied = 2;
  rg_doubt(&thread);
  EXPECT_NE(thread.flags & RG_THREAD_DOUBTED, 0U);
  EXPECT_FALSE(rg_is_settled(&thread));
  rg_begin_burst(&thread, 8);
  EXPECT_EQ(thread.flags, 0U);
}

TEST(HeldLocksTest, AThreadThatHoldsMoreThanIsKeptIsNeverSettled) {
  rg_burst_thread thread{};
  for (rg_u64 i = 1; i <= RG_HELD_LOCKS + 1; ++i) {
    const rg_held lock = held(i);
    rg_push_held(&thread, &lock);
  }
  while (thread.count > 0) {
    rg_remove_held(&thread, 0);
  }
  EXPECT_FALSE(rg_is_settled(&thread)) << "the ninth is a gate that nobody sees";
}

TEST(HeldLocksTest, GatesAreTheWriteLocksBelow) {
  const auto thread = thread_with({held(1), held(2, RG_LOCK_PTHREAD_RWLOCK | RG_CALL_READ), held(3), held(4)});
  rg_u64 gates[RG_EDGE_GATES];
  rg_first_gates(&thread, 3, gates);
  EXPECT_EQ(gates[0], 1U);
  EXPECT_EQ(gates[1], 0U) << "readers do not keep each other out";
  EXPECT_EQ(gates[2], 3U);
  EXPECT_EQ(gates[3], 0U) << "not below";
  const auto later = thread_with({held(3), held(4)});
  rg_keep_gates(&later, 1, gates);
  EXPECT_EQ(gates[0], 0U);
  EXPECT_EQ(gates[2], 3U);
}

TEST(HeldLocksTest, ALocksWordsSayWhetherItIsFree) {
  EXPECT_TRUE(rg_is_free(RG_LOCK_PTHREAD_MUTEX, 0));
  EXPECT_FALSE(rg_is_free(RG_LOCK_PTHREAD_MUTEX, 1));
  EXPECT_FALSE(rg_is_free(RG_LOCK_PTHREAD_MUTEX | RG_CALL_TRY, 0)) << "its result is asked";
  EXPECT_TRUE(rg_is_free(RG_LOCK_PTHREAD_RWLOCK | RG_CALL_READ, 2 << 3)) << "two readers";
  EXPECT_FALSE(rg_is_free(RG_LOCK_PTHREAD_RWLOCK, 2 << 3));
  EXPECT_FALSE(rg_is_free(RG_LOCK_PTHREAD_RWLOCK | RG_CALL_READ, 3)) << "a writer";
}

TEST(HeldLocksTest, ResultsOfCalls) {
  EXPECT_TRUE(rg_was_taken(RG_LOCK_PTHREAD_MUTEX, 0));
  EXPECT_FALSE(rg_was_taken(RG_LOCK_PTHREAD_MUTEX | RG_CALL_TRY, 16));
  EXPECT_TRUE(rg_was_taken(RG_LOCK_PTHREAD_MUTEX, RG_EOWNERDEAD));
  EXPECT_TRUE(rg_was_taken(RG_LOCK_PTHREAD_MUTEX | RG_CALL_CONDITION, 110)) << "a wait that timed out";
}

TEST(HeldLocksTest, OnlyCallsThatMayWaitForEverMakeAnOrder) {
  EXPECT_TRUE(rg_makes_order(RG_LOCK_PTHREAD_RWLOCK | RG_CALL_READ));
  EXPECT_FALSE(rg_makes_order(RG_LOCK_PTHREAD_MUTEX | RG_CALL_TRY));
  EXPECT_FALSE(rg_makes_order(RG_LOCK_PTHREAD_MUTEX | RG_CALL_TIMED));
}

TEST(HeldLocksTest, AnEdgeRemembersFourThreads) {
  rg_u32 threads[RG_EDGE_THREADS] = {};
  for (rg_u32 tid : {5, 5, 6, 7, 8, 9}) {
    rg_note_thread(threads, tid);
  }
  EXPECT_EQ(threads[0], 5U);
  EXPECT_EQ(threads[1], 6U);
  EXPECT_EQ(threads[3], 8U);
}

}  // namespace
