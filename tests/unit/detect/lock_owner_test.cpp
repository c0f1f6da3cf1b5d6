// SPDX-License-Identifier: Apache-2.0
// Owners as glibc itself writes them down: real locks of this process, as they are and bent.
#include "daemon/detect/lock_owner.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>

namespace raceguard::detect {
namespace {

// Its memory with 12 bytes before and more behind, as the daemon reads it around a futex word.
template <typename Lock>
struct Around {
  std::array<std::byte, 64> before{};
  Lock lock;
  std::array<std::byte, 64> behind{};
};

std::uint64_t address(const void* object) { return reinterpret_cast<std::uint64_t>(object); }

std::optional<HeldLock> owner_at(std::uint64_t word) {
  std::array<std::byte, kLockBytes> memory{};
  std::memcpy(memory.data(), reinterpret_cast<const void*>(word - kLockBytesBefore), memory.size());
  return held_lock(word, memory, kLockBytesBefore);
}

void set_word(void* object, std::size_t offset, std::uint32_t value) {
  std::memcpy(static_cast<std::byte*>(object) + offset, &value, sizeof value);
}

class MutexOwner : public testing::TestWithParam<int> {
 protected:
  MutexOwner() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, GetParam());
    pthread_mutex_init(&around_.lock, &attributes);
    pthread_mutex_lock(&around_.lock);
    set_word(&around_.lock, 0, 2);  // as its first waiter leaves it
  }
  [[nodiscard]] std::optional<HeldLock> owner() const { return owner_at(address(&around_.lock)); }
  Around<pthread_mutex_t> around_;
};

INSTANTIATE_TEST_SUITE_P(EachType, MutexOwner,
                         testing::Values(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                         PTHREAD_MUTEX_ADAPTIVE_NP));

TEST_P(MutexOwner, IsTheThreadThatLockedIt) {
  EXPECT_EQ(owner(), (HeldLock{.kind = LockKind::kMutex, .address = address(&around_.lock), .owner = gettid()}));
}

TEST_P(MutexOwner, IsKnownFromTheMutexAlone) {
  const auto word = address(&around_.lock);
  const std::span bytes(reinterpret_cast<const std::byte*>(&around_.lock), kMutexBytes);
  EXPECT_EQ(held_lock(word, bytes, 0), owner());
  EXPECT_FALSE(held_lock(word, bytes.first(kMutexBytes - 1), 0));
}

TEST_P(MutexOwner, NobodyAfterUnlock) {
  pthread_mutex_unlock(&around_.lock);
  EXPECT_FALSE(owner());
}

TEST_P(MutexOwner, NobodyWhereAWordDoesNotFit) {
  struct Bend {
    std::size_t offset;
    std::uint32_t value;
  };
  for (const Bend bend : {Bend{0, 1},               // nobody waits
                          Bend{8, 0x7fff1234},      // not a thread's number
                          Bend{12, 0},              // no users
                          Bend{12, 0x7fff1234},     // a pointer's upper half
                          Bend{16, 0x5a5a5a5a}}) {  // no kind of mutex
    const Around<pthread_mutex_t> kept = around_;
    set_word(&around_.lock, bend.offset, bend.value);
    EXPECT_FALSE(owner()) << bend.offset;
    around_ = kept;
  }
  EXPECT_TRUE(owner());
}

std::optional<HeldLock> owner_of_locked(const pthread_mutexattr_t& attributes, std::uint32_t waiters_bits) {
  Around<pthread_mutex_t> around;
  pthread_mutex_init(&around.lock, &attributes);
  pthread_mutex_lock(&around.lock);
  std::uint32_t word = 0;
  std::memcpy(&word, &around.lock, sizeof word);
  set_word(&around.lock, 0, word | waiters_bits);
  const auto owner = owner_at(address(&around.lock));
  set_word(&around.lock, 0, word);
  pthread_mutex_unlock(&around.lock);
  return owner;
}

TEST(MutexKinds, PriorityInheritanceHasItsOwnerInTheWord) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  const auto owner = owner_of_locked(attributes, 0x80000000U);
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->owner, gettid());
}

TEST(MutexKinds, SharedAndRobustAreLeftOut) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  EXPECT_FALSE(owner_of_locked(attributes, 2));
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  EXPECT_FALSE(owner_of_locked(attributes, 0x80000000U));
}

// True while the kernel has the thread in a futex call, whose word is told.
bool sleeps_at(std::atomic<pid_t>& tid, std::uint64_t& word) {
  const std::string path = "/proc/self/task/" + std::to_string(tid.load()) + "/syscall";
  std::array<char, 256> text{};
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) {
    return false;
  }
  const bool read = std::fgets(text.data(), text.size(), file) != nullptr;
  std::fclose(file);
  unsigned long number = 0;
  unsigned long first = 0;
  word = read && std::sscanf(text.data(), "%lu %lx", &number, &first) == 2 && number == SYS_futex ? first : 0;
  return word != 0;
}

// What a second thread finds that waits for the lock.
std::optional<HeldLock> owner_seen_by_waiter(pthread_rwlock_t& lock, int (*wait)(pthread_rwlock_t*)) {
  std::atomic<pid_t> tid = 0;
  std::thread waiter([&] {
    tid = gettid();
    wait(&lock);
    pthread_rwlock_unlock(&lock);
  });
  std::uint64_t word = 0;
  while (tid == 0 || !sleeps_at(tid, word) || word - address(&lock) >= sizeof lock) {
    std::this_thread::yield();
  }
  const auto owner = owner_at(word);
  pthread_rwlock_unlock(&lock);
  waiter.join();
  return owner;
}

TEST(RwlockOwner, IsItsWriterForReadersAndWriters) {
  for (const auto wait : {&pthread_rwlock_rdlock, &pthread_rwlock_wrlock}) {
    Around<pthread_rwlock_t> around;
    pthread_rwlock_init(&around.lock, nullptr);
    pthread_rwlock_wrlock(&around.lock);
    EXPECT_EQ(owner_seen_by_waiter(around.lock, wait),
              (HeldLock{.kind = LockKind::kRwlock, .address = address(&around.lock), .owner = gettid()}));
  }
}

TEST(RwlockOwner, NobodyWhileReadersHoldIt) {
  Around<pthread_rwlock_t> around;
  pthread_rwlock_init(&around.lock, nullptr);
  pthread_rwlock_rdlock(&around.lock);
  EXPECT_FALSE(owner_seen_by_waiter(around.lock, &pthread_rwlock_wrlock));
}

TEST(LockOwner, MemoryThatIsNoLockHasNone) {
  std::array<std::byte, kLockBytes> memory{};
  EXPECT_FALSE(held_lock(0x1000, memory, kLockBytesBefore));
  memory.fill(std::byte{0xff});
  EXPECT_FALSE(held_lock(0x1000, memory, kLockBytesBefore));
  EXPECT_FALSE(held_lock(0x1000, {}, 0));
}

}  // namespace
}  // namespace raceguard::detect
