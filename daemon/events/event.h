// SPDX-License-Identifier: Apache-2.0
// Records of the ring, decoded, with names and stacks.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "daemon/symbols/symbol.h"

namespace raceguard::events {

struct ProcessEvent {
  enum class Kind { kFork, kExec, kExit };
  Kind kind = Kind::kExec;
  std::int64_t time_ns = 0;
  pid_t pid = 0;
  pid_t parent_pid = 0;
  uid_t uid = 0;
  bool was_target = false;
  std::string comm;
};

// How a stack was obtained; `kUntrusted` frames are shown marked, never used to judge.
enum class StackTrust { kUnwound, kFramePointers, kUntrusted };

struct Stack {
  std::vector<symbols::CodeSite> frames;  // innermost first
  StackTrust trust = StackTrust::kUntrusted;
  std::size_t reliable_frames = 0;  // so many from the innermost passed every check; all of them unless kUntrusted
  bool complete = false;            // ends at the thread's first function; false: deeper than the copy of the stack
};

struct LockStackEvent {
  enum class Role { kWaiter, kHolder };
  enum class WaitKind { kLock, kCondition };  // by the stack where it tells, else by the futex value
  Role role = Role::kWaiter;
  WaitKind wait_kind = WaitKind::kLock;
  std::int64_t time_ns = 0;
  std::uint64_t lock_address = 0;
  std::int64_t wait_ns = 0;  // 0 for a holder
  pid_t pid = 0;
  pid_t tid = 0;
  pid_t owner_tid = 0;  // 0: unknown
  Stack stack;
};

using Event = std::variant<ProcessEvent, LockStackEvent>;

}  // namespace raceguard::events
