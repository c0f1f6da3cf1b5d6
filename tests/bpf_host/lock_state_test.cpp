// SPDX-License-Identifier: Apache-2.0
// The states that are read from real locks of this C library.
#include "bpf/lock_state.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <thread>

namespace raceguard::test {
namespace {

rg_u32 word_at(const void* lock, std::size_t offset) {
  rg_u32 word = 0;
  std::memcpy(&word, static_cast<const char*>(lock) + offset, sizeof word);
  return word;
}

rg_u64 mutex_seen(const void* mutex, rg_u32 me) { return rg_owner_state(word_at(mutex, RG_MUTEX_OWNER_OFFSET), me); }

rg_u64 rwlock_seen(const void* lock, rg_u32 me) {
  return rg_rwlock_state(word_at(lock, RG_RWLOCK_READERS_OFFSET), word_at(lock, RG_RWLOCK_WRITER_OFFSET), me);
}

rg_u32 me() { return static_cast<rg_u32>(::gettid()); }

class MutexTypes : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, MutexTypes,
                         testing::Values(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                         PTHREAD_MUTEX_ADAPTIVE_NP));

TEST_P(MutexTypes, TellTheirOwner) {
  pthread_mutexattr_t type;
  pthread_mutexattr_init(&type);
  pthread_mutexattr_settype(&type, GetParam());
  pthread_mutex_t mutex;
  pthread_mutex_init(&mutex, &type);
  EXPECT_EQ(rg_seen_state(mutex_seen(&mutex, me())), RG_LOCK_IS_FREE);
  pthread_mutex_lock(&mutex);
  EXPECT_EQ(mutex_seen(&mutex, me()), rg_lock_seen(RG_LOCK_IS_MINE, me()));
  EXPECT_EQ(mutex_seen(&mutex, me() + 1), rg_lock_seen(RG_LOCK_IS_OTHERS, me()));
  pthread_mutex_unlock(&mutex);
  EXPECT_EQ(rg_seen_state(mutex_seen(&mutex, me())), RG_LOCK_IS_FREE);
  pthread_mutex_destroy(&mutex);
  pthread_mutexattr_destroy(&type);
}

TEST(LockState, OfStandardMutexes) {
  std::mutex mutex;
  std::shared_mutex shared;
  const std::scoped_lock held(mutex, shared);
  EXPECT_EQ(mutex_seen(&mutex, me()), rg_lock_seen(RG_LOCK_IS_MINE, me()));
  EXPECT_EQ(rwlock_seen(&shared, me()), rg_lock_seen(RG_LOCK_IS_MINE, me()));
}

TEST(LockState, OfAnRwlock) {
  pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
  EXPECT_EQ(rg_seen_state(rwlock_seen(&lock, me())), RG_LOCK_IS_FREE);
  pthread_rwlock_rdlock(&lock);
  EXPECT_EQ(rg_seen_state(rwlock_seen(&lock, me())), RG_LOCK_IS_TAKEN);
  pthread_rwlock_unlock(&lock);
  EXPECT_EQ(rg_seen_state(rwlock_seen(&lock, me())), RG_LOCK_IS_FREE);
  pthread_rwlock_wrlock(&lock);
  EXPECT_EQ(rg_seen_state(rwlock_seen(&lock, me() + 1)), RG_LOCK_IS_OTHERS);
  pthread_rwlock_unlock(&lock);
  EXPECT_EQ(rg_seen_state(rwlock_seen(&lock, me())), RG_LOCK_IS_FREE);
}

TEST(LockState, OfASpinLock) {
  pthread_spinlock_t lock;
  pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
  const auto seen = [&lock] { return rg_seen_state(rg_spin_state(static_cast<rg_s32>(lock))); };
  EXPECT_EQ(seen(), RG_LOCK_IS_FREE);
  pthread_spin_lock(&lock);
  EXPECT_EQ(seen(), RG_LOCK_IS_TAKEN);
  pthread_spin_unlock(&lock);
  EXPECT_EQ(seen(), RG_LOCK_IS_FREE);
  pthread_spin_destroy(&lock);
}

TEST(LockState, OfAFutexWord) {
  EXPECT_EQ(rg_seen_state(rg_futex_word_state(0)), RG_LOCK_IS_FREE);
  EXPECT_EQ(rg_seen_state(rg_futex_word_state(1)), RG_LOCK_IS_TAKEN);
  EXPECT_EQ(rg_seen_state(rg_futex_word_state(2)), RG_LOCK_IS_TAKEN);
  EXPECT_EQ(rg_seen_state(rg_futex_word_state(4)), RG_LOCK_IS_FREE) << "waiters only";
}

}  // namespace
}  // namespace raceguard::test
