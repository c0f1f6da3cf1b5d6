// SPDX-License-Identifier: Apache-2.0
#include "bpf/futex_op.h"

#include <gtest/gtest.h>

namespace {

struct Case {
  const char* who;
  rg_u32 operation;
  rg_u32 expected;
  rg_wait_class wait_class;
};

class WaitClass : public testing::TestWithParam<Case> {};

// The operations and values that strace shows for these callers.
INSTANTIATE_TEST_SUITE_P(
    Callers, WaitClass,
    testing::Values(
        Case{"GlibcMutex", FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2, RG_WAIT_LOCK},
        Case{"GlibcSharedMutex", FUTEX_WAIT, 2, RG_WAIT_LOCK},
        Case{"GlibcTimedMutex", FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 2, RG_WAIT_LOCK},
        Case{"GlibcReadLock", FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 3, RG_WAIT_LOCK},
        Case{"RustMutex", FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 2, RG_WAIT_LOCK},
        Case{"InnodbMutex", FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0x80000001U, RG_WAIT_LOCK},
        Case{"PriorityInheritance", FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, RG_WAIT_LOCK},
        Case{"PriorityInheritance2", FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, RG_WAIT_LOCK},
        Case{"GlibcCondition", FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 0, RG_WAIT_CONDITION},
        Case{"Semaphore", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, RG_WAIT_CONDITION},
        Case{"PriorityCondition", FUTEX_WAIT_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 2, RG_WAIT_CONDITION},
        Case{"Join", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 4711, RG_WAIT_CONDITION},
        Case{"RustPark", FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0xffffffffU, RG_WAIT_CONDITION},
        Case{"GoNote", FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, RG_WAIT_CONDITION}),
    [](const auto& caller) { return caller.param.who; });

TEST_P(WaitClass, IsGuessedFromTheCall) {
  EXPECT_EQ(rg_futex_action_of(GetParam().operation), RG_FUTEX_IS_WAIT);
  EXPECT_EQ(rg_wait_class_of(GetParam().operation, GetParam().expected), GetParam().wait_class);
}

constexpr rg_u32 kConditionWait = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME;

TEST(GlibcCondition, IsLookedForWhereTheValueCannotTell) {
  EXPECT_TRUE(rg_may_be_glibc_condition(kConditionWait, 2));
  EXPECT_TRUE(rg_may_be_glibc_condition(kConditionWait, 4096));
  EXPECT_FALSE(rg_may_be_glibc_condition(kConditionWait, 0)) << "told by the value";
  EXPECT_TRUE(rg_may_be_glibc_condition(kConditionWait, 3)) << "or a read-write lock: the memory tells";
  EXPECT_FALSE(rg_may_be_glibc_condition(FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2)) << "a mutex";
  EXPECT_FALSE(rg_may_be_glibc_condition(FUTEX_WAIT_BITSET, 4)) << "shared, told by the value";
}

TEST(GlibcCondition, LiesInFrontOfEitherOfItsFutexWords) {
  EXPECT_EQ(rg_glibc_condition_around(0x1000 + 32), 0x1000U);
  EXPECT_EQ(rg_glibc_condition_around(0x1000 + 36), 0x1000U);
}

// Words of glibc 2.41 while threads wait, as gdb shows them.
TEST(GlibcCondition, IsToldFromOtherMemoryByItsCounters) {
  const rg_glibc_condition waited = {
      .wseq = 51, .g1_start = 48, .group_size = {0, 1}, .older_group_size = 4, .wrefs = 8};
  EXPECT_TRUE(rg_is_glibc_condition(&waited));
  rg_glibc_condition other = waited;
  other.wrefs = 0;
  EXPECT_FALSE(rg_is_glibc_condition(&other)) << "nobody waits";
  other = waited;
  other.g1_start = other.wseq;
  EXPECT_FALSE(rg_is_glibc_condition(&other)) << "nobody came since the group began";
  other = waited;
  other.g1_start = 4000;
  EXPECT_FALSE(rg_is_glibc_condition(&other)) << "the group begins after the last who came";
  other = waited;
  other.group_size[0] = 0x7fff1234;
  EXPECT_FALSE(rg_is_glibc_condition(&other)) << "a pointer's half";
  const rg_glibc_condition zeros{};
  EXPECT_FALSE(rg_is_glibc_condition(&zeros));
}

TEST(FutexAction, WakesAndRequeuesAreWakesAndTryingIsNeither) {
  for (const rg_u32 command : {FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE,
                               FUTEX_CMP_REQUEUE_PI, FUTEX_UNLOCK_PI}) {
    EXPECT_EQ(rg_futex_action_of(command | FUTEX_PRIVATE_FLAG), RG_FUTEX_IS_WAKE) << command;
  }
  EXPECT_EQ(rg_futex_action_of(FUTEX_TRYLOCK_PI), RG_FUTEX_OTHER);
  EXPECT_EQ(rg_futex_action_of(FUTEX_FD), RG_FUTEX_OTHER);
  EXPECT_EQ(rg_futex_action_of(99), RG_FUTEX_OTHER);
}

}  // namespace
