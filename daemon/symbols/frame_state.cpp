// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/frame_state.h"

#include <utility>

namespace raceguard::symbols {
namespace {

constexpr std::int32_t kReturnAddressBytes = 8;
constexpr std::uint16_t kFrameRegister = 1U << 5U;  // rbp
constexpr std::uint16_t kWrittenByCalls = 0x0fc7;   // rax rcx rdx rsi rdi r8..r11: System V ABI 3.2.1

using Offset = std::optional<std::int32_t>;

Offset sum(Offset a, Offset b) { return a && b ? Offset(*a + *b) : std::nullopt; }
Offset difference(Offset a, Offset b) { return a && b ? Offset(*a - *b) : std::nullopt; }

FrameState behind(const Instruction& instruction, const FrameMove& move, const FrameState& before) {
  FrameState after = before;
  if (instruction.flow == Flow::kCall) {
    after.written |= kWrittenByCalls;
    return after;
  }
  after.written |= instruction.written_registers;
  after.cfa_offset = move.stack_from_frame ? difference(before.frame_cfa_offset, move.stack_from_frame)
                                           : sum(before.cfa_offset, instruction.stack_growth);
  if (move.frame_from_stack) {
    after.frame_cfa_offset = difference(before.cfa_offset, move.frame_from_stack);
  } else if ((instruction.written_registers & kFrameRegister) != 0) {
    after.frame_cfa_offset.reset();
  }
  return after;
}

FrameState either(const FrameState& a, const FrameState& b) {
  const auto same = [](Offset one, Offset other) { return one == other ? one : std::nullopt; };
  return {.cfa_offset = same(a.cfa_offset, b.cfa_offset),
          .frame_cfa_offset = same(a.frame_cfa_offset, b.frame_cfa_offset),
          .written = static_cast<std::uint16_t>(a.written | b.written)};
}

}  // namespace

std::vector<FrameState> frame_states(const FlowGraph& graph) {
  const FrameState entry{.cfa_offset = kReturnAddressBytes, .frame_cfa_offset = {}, .written = 0};
  std::vector<FrameState> states(graph.size(), entry);
  std::vector<bool> known(graph.size());
  known[0] = true;
  std::vector<NodeIndex> left = {0};
  while (!left.empty()) {
    const NodeIndex node = left.back();
    left.pop_back();
    const FrameState after = behind(graph.instructions[node], graph.frame_moves[node], states[node]);
    for (const NodeIndex to : graph.next[node]) {
      FrameState state = known[to] ? either(states[to], after) : after;
      if (!known[to] || state != states[to]) {
        states[to] = std::move(state);
        known[to] = true;
        left.push_back(to);
      }
    }
  }
  return states;
}

}  // namespace raceguard::symbols
