// SPDX-License-Identifier: Apache-2.0
// What one tick adds to the window of a switch's breaker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/function_table.h"
#include "daemon/detect/lock_table.h"
#include "daemon/detect/race_book.h"

namespace raceguard::detect {

// What feeds a switch, from its policy.
struct SwitchFeed {
  std::string guard = {};                   // only functions and locks of this policy entry count; empty: of all
  std::vector<std::string> functions = {};  // names of FunctionGuards
  std::vector<std::string> locks = {};      // globs of lock names; empty: all locks of the guard's targets
};

struct SwitchSums {
  std::uint64_t calls = 0;  // that came back: a call in flight is neither slow nor failed yet
  std::uint64_t slow = 0;
  std::uint64_t errors = 0;
  std::uint64_t waits = 0;  // for locks, never for conditions
  Histogram lock_waits;
  RacesSeen races;  // in the guard's processes
};

[[nodiscard]] SwitchSums switch_sums(const SwitchFeed& feed, const FunctionTable& functions, const LockTable& locks);

}  // namespace raceguard::detect
