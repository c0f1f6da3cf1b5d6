// SPDX-License-Identifier: Apache-2.0
// A knot with names and stacks, and what is said about it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/lock_owner.h"

namespace raceguard::detect {

// A deadlock is looked for once a second; one that was not seen for so long has ended (or its process has).
inline constexpr std::int64_t kDeadlockStandsNs = 5'000'000'000;

struct DeadlockedThread {
  pid_t tid = 0;  // the kernel's number
  std::string name;
  std::string lock;  // that it waits for
  std::uint64_t lock_address = 0;
  LockKind lock_kind = LockKind::kMutex;
  pid_t owner_tid = 0;        // that holds it; of an abandoned lock as the process numbers its threads
  std::int64_t since_ns = 0;  // CLOCK_REALTIME: it waits since; 0: before it was watched
  events::Stack stack;        // no frames: could not be read
};

struct Deadlock {
  pid_t pid = 0;
  std::string process;  // its name
  bool abandoned = false;
  bool forked = false;  // the process has its parent's image, and may have locks that its parent's threads took
  bool proven = true;
  std::vector<DeadlockedThread> threads;  // as in Knot, which may have more
  std::size_t behind = 0;
};

// With first_seen_ns = last_seen_ns = realtime_ns and count = 1.
[[nodiscard]] Finding deadlock_finding(Deadlock deadlock, std::string guard, std::int64_t realtime_ns);

}  // namespace raceguard::detect
