// SPDX-License-Identifier: Apache-2.0
// Threads that wait for each other in a ring, and locks whose holder is no more: nobody can let them go.
//
// Why a ring is proven. Each thread of it was in its futex wait, without a time limit, from before the owner words were
// read until after (the same wait is in progress at both ends, by its start or by the thread's context switches). A
// thread that waits lets nothing go, so each owner word was true at that time, and all at once: every thread waits for
// the next one. Only what POSIX forbids (another thread unlocks the mutex) or a signal handler that unlocks can end
// that.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/lock_owner.h"
#include "daemon/events/event.h"

namespace raceguard::detect {

// Thread ids are the kernel's, but for HeldLock::owner.
struct BlockedThread {
  pid_t pid = 0;
  pid_t tid = 0;
  std::uint64_t word = 0;      // the futex word
  std::int64_t since_ns = 0;   // CLOCK_MONOTONIC; 0: before the process was watched
  std::uint64_t switches = 0;  // if so, of the thread until now
  HeldLock lock;
  pid_t owner_tid = 0;  // 0: the process has no such thread
};

struct Knot {
  bool abandoned = false;              // else a ring: each thread's owner is the next one, the last one's the first
  std::vector<BlockedThread> threads;  // ring: from the lowest tid on. Abandoned: all that wait for the one lock
  std::size_t behind = 0;              // further threads that wait for one of these, or for one who does
};

// A thread waits for one lock and a lock has one owner, so a thread is in one knot at most.
[[nodiscard]] std::vector<Knot> knots_of(std::span<const BlockedThread> blocked);

// Two readings of one knot: the same threads and locks; of an abandoned lock the lock and its owner alone.
[[nodiscard]] bool same_knot(const Knot& a, const Knot& b);

// Believes a knot when two readings in a row have it.
class KnotJudge {
 public:
  // The knots of this reading that the one before had too.
  [[nodiscard]] std::vector<Knot> confirm(std::vector<Knot> knots);

 private:
  std::vector<Knot> before_;
};

// A thread that began after somebody began to wait for its lock has the number of the one that took it, and is another.
[[nodiscard]] bool is_stale_owner(std::int64_t owner_started_ns, std::int64_t wait_since_ns);

}  // namespace raceguard::detect
