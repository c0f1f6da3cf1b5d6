// SPDX-License-Identifier: Apache-2.0
// What runs between two instructions of a function.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "daemon/symbols/flow_graph.h"

namespace raceguard::symbols {

// From `entry`, which is in it, to before `exit`.
struct CodeRegion {
  std::size_t instructions = 0;
  std::size_t calls = 0;
  std::size_t loops = 0;
  bool repeats = false;              // the function may come from `exit` to `entry` again
  bool works_between_turns = false;  // and may call, or loop besides, on the way
};

// Nothing unless, whichever way the function takes: `wanted` run within only; from `entry` it comes to `exit` before it
// comes to `entry` again or leaves for its caller, and from everywhere within it can come there. Ways that end in a
// call that never comes back do not count. `before`: turned_around(graph.next).
[[nodiscard]] std::optional<CodeRegion> code_region(const FlowGraph& graph, const Successors& before, NodeIndex entry,
                                                    NodeIndex exit, std::span<const NodeIndex> wanted);

// Jumps back, of the ways from `start` that stay within.
[[nodiscard]] std::size_t count_loops(const FlowGraph& graph, NodeIndex start, const std::vector<bool>& within);

}  // namespace raceguard::symbols
