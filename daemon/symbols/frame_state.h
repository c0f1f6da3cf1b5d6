// SPDX-License-Identifier: Apache-2.0
// What is known at each instruction of a function, whichever way led there: how far the stack pointer is from the
// caller's, and which registers still hold what the caller passed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/symbols/flow_graph.h"

namespace raceguard::symbols {

struct FrameState {
  std::optional<std::int32_t> cfa_offset;        // stack pointer + this = the caller's after the call; 8 at the entry
  std::optional<std::int32_t> frame_cfa_offset;  // the same for rbp, where it is a frame pointer
  std::uint16_t written = 0;                     // bit n: general register n may have been written, by a call too
  friend bool operator==(const FrameState&, const FrameState&) = default;
};

// Before each instruction; an offset is nothing where two ways differ, and where the stack pointer was rounded or moved
// by a register's value. Of what the entry does not reach: as at the entry.
[[nodiscard]] std::vector<FrameState> frame_states(const FlowGraph& graph);

}  // namespace raceguard::symbols
