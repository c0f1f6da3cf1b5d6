// SPDX-License-Identifier: Apache-2.0
// Who holds a lock that a thread waits for, from the lock's own memory. Only what glibc itself wrote down, and only if
// everything around it fits: a word that merely looks like a thread id makes no owner.
//
// Layouts: glibc 2.36, sysdeps/nptl/bits/struct_mutex.h and sysdeps/x86/nptl/bits/struct_rwlock.h, unchanged
// since 2.30. No owner is kept, so none is told: read locks (a rwlock only counts its readers), condition variables,
// semaphores, the mutexes of Rust's std, Go and InnoDB. Left out: locks that processes share, whose owner may be in
// another one; robust mutexes, whose owner's death frees them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace raceguard::detect {

enum class LockKind { kMutex, kRwlock };

struct HeldLock {
  LockKind kind = LockKind::kMutex;
  std::uint64_t address = 0;  // of the pthread_mutex_t or pthread_rwlock_t
  pid_t owner = 0;            // as the process itself numbers its threads; a rwlock's writer
  friend bool operator==(const HeldLock&, const HeldLock&) = default;
};

inline constexpr std::size_t kLockBytesBefore = 12;  // a rwlock's waiters wait on its third and fourth word
inline constexpr std::size_t kLockBytes = 60;  // the longest: a rwlock from its third word to its end, and 12 before
inline constexpr std::size_t kMutexBytes = 20;

// `memory`: of the process, from `word` - `before` on; `word` is what the thread waits on. Bytes that are not there
// could not be read.
[[nodiscard]] std::optional<HeldLock> held_lock(std::uint64_t word, std::span<const std::byte> memory,
                                                std::size_t before);

}  // namespace raceguard::detect
