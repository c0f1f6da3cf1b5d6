// SPDX-License-Identifier: Apache-2.0
// Which instruction of a function may come after which. Ways that cannot be ruled out are in it, so that "every way
// passes here" said of the graph holds for the function: a call may come back even where it never does, and an
// exception may bring any call to any handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/symbols/frame_move.h"
#include "daemon/symbols/instruction.h"
#include "daemon/symbols/jump_table.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;

using NodeIndex = std::uint32_t;
using Successors = std::vector<std::vector<NodeIndex>>;

struct FlowGraph {
  // [0] is the entry; then in the order of the parts, by address in each.
  std::vector<Instruction> instructions;
  std::vector<FrameMove> frame_moves;
  Successors next;
  std::vector<bool> leaves;     // returns, or jumps to another function, perhaps under a condition
  std::vector<bool> calls;      // calls that may come back, in last place too; system calls
  std::vector<bool> reachable;  // from the entry

  [[nodiscard]] std::size_t size() const { return instructions.size(); }
  // The instruction that begins there; nothing: none does.
  [[nodiscard]] std::optional<NodeIndex> at(std::uint64_t address) const;
};

struct CodePart {
  std::uint64_t address = 0;
  std::span<const std::byte> code;
};

inline constexpr std::size_t kMostFlowInstructions = 8192;

// kSymbolNoSite, and why: a jump through a register or a table that jump_table.h does not know, a jump into the middle
// of an instruction, bytes that are no code, a last instruction that goes on, more than kMostFlowInstructions. The
// first part begins with the entry. `read`: where jumps through tables are to be followed.
Result<FlowGraph> build_flow_graph(std::span<const CodePart> parts, const ReadMemory& read = {});

// The same of a function, with the parts that the compiler moved out of it.
Result<FlowGraph> read_flow_graph(const ElfFile& file, const Symbol& function);

// `next` turned around.
[[nodiscard]] Successors turned_around(const Successors& next);

}  // namespace raceguard::symbols
