// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/switch_sums.h"

#include <fnmatch.h>

#include <algorithm>

namespace raceguard::detect {
namespace {

bool of_guard(const SwitchFeed& feed, const std::string& guard) { return feed.guard.empty() || feed.guard == guard; }

bool feeds(const SwitchFeed& feed, const LockDelta& lock) {
  if (lock.wait_kind != events::LockStackEvent::WaitKind::kLock || !of_guard(feed, lock.guard)) {
    return false;
  }
  return feed.locks.empty() || std::any_of(feed.locks.begin(), feed.locks.end(), [&](const std::string& glob) {
           return fnmatch(glob.c_str(), lock.name.c_str(), 0) == 0;
         });
}

}  // namespace

SwitchSums switch_sums(const SwitchFeed& feed, const FunctionTable& functions, const LockTable& locks) {
  SwitchSums sums;
  for (const FunctionDelta& function : functions.last_tick()) {
    const FunctionDefinition& definition = *function.definition;
    const bool named = std::find(feed.functions.begin(), feed.functions.end(), definition.name) != feed.functions.end();
    if (named && of_guard(feed, definition.guard)) {
      sums.calls += function.sums.returns;
      sums.slow += function.sums.slow;
      sums.errors += function.sums.errors;
    }
  }
  for (const LockDelta& lock : locks.last_tick()) {
    if (feeds(feed, lock)) {
      sums.waits += lock.sums.waits;
      sums.lock_waits += lock.wait;
    }
  }
  return sums;
}

}  // namespace raceguard::detect
