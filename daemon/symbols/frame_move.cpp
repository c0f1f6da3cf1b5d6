// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/frame_move.h"

#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

// `to` = `from` + the value.
std::optional<std::int32_t> distance(const DecodedInstruction& instruction, ZydisRegister to, ZydisRegister from) {
  const auto& [raw, operands] = instruction;
  if (operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER || operands[0].reg.value != to) {
    return std::nullopt;
  }
  if (raw.mnemonic == ZYDIS_MNEMONIC_MOV && operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
      operands[1].reg.value == from) {
    return 0;
  }
  const bool is_sum = raw.mnemonic == ZYDIS_MNEMONIC_LEA && operands[1].mem.base == from &&
                      operands[1].mem.index == ZYDIS_REGISTER_NONE;
  return is_sum ? std::optional(static_cast<std::int32_t>(operands[1].mem.disp.value)) : std::nullopt;
}

}  // namespace

FrameMove frame_move(std::span<const std::byte> code) {
  constexpr std::int32_t kSavedFrame = 8;  // that `leave` pops
  const auto decoded = decode_full(code);
  if (!decoded) {
    return {};
  }
  return {.frame_from_stack = distance(*decoded, ZYDIS_REGISTER_RBP, ZYDIS_REGISTER_RSP),
          .stack_from_frame = decoded->raw.mnemonic == ZYDIS_MNEMONIC_LEAVE
                                  ? std::optional(kSavedFrame)
                                  : distance(*decoded, ZYDIS_REGISTER_RSP, ZYDIS_REGISTER_RBP)};
}

}  // namespace raceguard::symbols
