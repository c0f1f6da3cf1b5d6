// SPDX-License-Identifier: Apache-2.0
// One access to a watched address, decoded, with its stack and its instruction.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/events/event.h"
#include "daemon/symbols/access.h"
#include "raceguard/abi/race.h"

namespace raceguard::events {

struct AccessEvent {
  rg_access_role role = RG_ACCESS_FIRST_SEEN;
  std::int64_t time_ns = 0;
  std::uint64_t generation = 0;
  std::uint64_t pair = 0;
  std::uint64_t ip = 0;  // in the process, behind the access
  std::uint64_t value_before = 0;
  std::uint64_t value_after = 0;
  std::int64_t held_ns = 0;
  std::uint32_t overlaps = 0;
  std::uint32_t seen = 0;  // how often this pair of instructions overlapped so far, with this time
  unsigned slot = 0;
  unsigned broken_lock = 0;  // RG_ACCESS_LOCK_BROKEN: index of the candidate
  pid_t pid = 0;
  pid_t tid = 0;
  pid_t lock_owner_tid = 0;
  std::array<rg_lock_state, RG_CANDIDATE_LOCKS> lock_states{};
  std::array<std::uint64_t, RG_DWARF_REGISTERS> registers{};
  // frames[0] is the access itself: its CodeSite is that of `instruction`, not of the one behind it. Records without a
  // copy of the stack have this frame only, and are untrusted with one reliable frame.
  Stack stack;
  std::optional<symbols::AccessInstruction> instruction;  // nothing: could not be decoded
};

}  // namespace raceguard::events
