// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_owner.h"

#include <linux/futex.h>

#include <cstring>

#include "bpf/futex_op.h"

namespace raceguard::detect {
namespace {

struct GlibcMutex {
  std::uint32_t lock;
  std::uint32_t count;
  std::uint32_t owner;
  std::uint32_t users;  // who holds it, and who waits for a condition under it
  std::uint32_t kind;
};
static_assert(sizeof(GlibcMutex) == kMutexBytes);

struct GlibcRwlock {
  std::uint32_t readers;
  std::uint32_t writers;
  std::uint32_t write_phase_futex;
  std::uint32_t writers_futex;
  std::uint32_t pad[2];
  std::uint32_t current_writer;
  std::uint32_t shared;
  std::uint64_t elision_and_pad[2];
  std::uint32_t flags;
  std::uint32_t end_pad;
};
static_assert(offsetof(GlibcRwlock, current_writer) == 24 && sizeof(GlibcRwlock) == 56);
static_assert(offsetof(GlibcRwlock, writers_futex) == kLockBytesBefore);
static_assert(kLockBytes >= kLockBytesBefore + sizeof(GlibcRwlock) - offsetof(GlibcRwlock, write_phase_futex));

constexpr std::uint32_t kMostThreads = 1U << 22U;  // PID_MAX_LIMIT
// nptl/pthreadP.h: the type (two bits) and whether lock elision is chosen; priority inheritance. Any other bit is a
// kind of mutex whose owner is not told.
constexpr std::uint32_t kPlainKinds = 0x303;
constexpr std::uint32_t kInheritsPriority = 0x20;
// nptl/pthread_rwlock_common.c: PTHREAD_RWLOCK_WRPHASE | PTHREAD_RWLOCK_WRLOCKED; 1 | PTHREAD_RWLOCK_FUTEX_USED.
constexpr std::uint32_t kWriterHolds = 3;
constexpr std::uint32_t kWaitedFor = 3;
constexpr std::uint32_t kMostRwlockFlags = 3;  // enum of pthread_rwlockattr_setkind_np

template <typename T>
std::optional<T> read(std::span<const std::byte> memory, std::size_t offset) {
  if (offset > memory.size() || memory.size() - offset < sizeof(T)) {
    return std::nullopt;
  }
  T value;
  std::memcpy(&value, memory.data() + offset, sizeof value);
  return value;
}

bool is_held_mutex(const GlibcMutex& mutex) {
  if (mutex.owner == 0 || mutex.owner > kMostThreads || mutex.users == 0 || mutex.users > kMostThreads) {
    return false;
  }
  if ((mutex.kind & ~kPlainKinds) == 0) {
    return mutex.lock == RG_GLIBC_MUTEX_CONTENDED;
  }
  return (mutex.kind & ~kPlainKinds) == kInheritsPriority && (mutex.lock & FUTEX_TID_MASK) == mutex.owner;
}

bool is_held_rwlock(const GlibcRwlock& lock) {
  return (lock.readers & kWriterHolds) == kWriterHolds && lock.current_writer != 0 &&
         lock.current_writer <= kMostThreads && lock.shared == 0 && lock.flags <= kMostRwlockFlags &&
         lock.writers <= kMostThreads;
}

}  // namespace

std::optional<HeldLock> held_lock(std::uint64_t word, std::span<const std::byte> memory, std::size_t before) {
  std::optional<HeldLock> found;
  std::size_t candidates = 0;
  const auto mutex = read<GlibcMutex>(memory, before);
  if (mutex && is_held_mutex(*mutex)) {
    found = {.kind = LockKind::kMutex, .address = word, .owner = static_cast<pid_t>(mutex->owner)};
    ++candidates;
  }
  for (const std::size_t offset : {offsetof(GlibcRwlock, write_phase_futex), offsetof(GlibcRwlock, writers_futex)}) {
    const auto lock = offset > before ? std::nullopt : read<GlibcRwlock>(memory, before - offset);
    const bool waited_for = lock && read<std::uint32_t>(memory, before) == kWaitedFor;
    if (waited_for && is_held_rwlock(*lock)) {
      found = {.kind = LockKind::kRwlock, .address = word - offset, .owner = static_cast<pid_t>(lock->current_writer)};
      ++candidates;
    }
  }
  return candidates == 1 ? found : std::nullopt;  // two readings of the same bytes: neither is certain
}

}  // namespace raceguard::detect
