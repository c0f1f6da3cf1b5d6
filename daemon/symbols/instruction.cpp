// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/instruction.h"

#include "daemon/symbols/kernel_treatment.h"
#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

bool is_legacy_map(const ZydisDecodedInstruction& raw, ZydisOpcodeMap map) {
  return raw.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY && raw.opcode_map == map;
}

// By opcode, not by Zydis's category: the minimal decoder does not fill that in.
Flow flow_of(const ZydisDecodedInstruction& raw) {
  const std::uint8_t opcode = raw.opcode;
  if (is_legacy_map(raw, ZYDIS_OPCODE_MAP_0F)) {
    if (opcode >= 0x80 && opcode <= 0x8f) {
      return Flow::kConditional;
    }
    return opcode == 0x0b ? Flow::kTrap : Flow::kNext;
  }
  if (!is_legacy_map(raw, ZYDIS_OPCODE_MAP_DEFAULT)) {
    return Flow::kNext;
  }
  if ((opcode >= 0x70 && opcode <= 0x7f) || (opcode >= 0xe0 && opcode <= 0xe3)) {
    return Flow::kConditional;  // jcc, loop, jrcxz
  }
  switch (opcode) {
    case 0xe8:
      return Flow::kCall;
    case 0xe9:
    case 0xeb:
      return Flow::kJump;
    case 0xff:
      if (raw.raw.modrm.reg == 2 || raw.raw.modrm.reg == 3) {
        return Flow::kCall;
      }
      return raw.raw.modrm.reg == 4 || raw.raw.modrm.reg == 5 ? Flow::kIndirectJump : Flow::kNext;
    case 0xc2:
    case 0xc3:
    case 0xca:
    case 0xcb:
    case 0xcf:
      return Flow::kReturn;
    case 0xcc:
    case 0xf4:
      return Flow::kTrap;
    default:
      return Flow::kNext;
  }
}

Instruction with_flow(const ZydisDecodedInstruction& raw, std::uint64_t address) {
  Instruction result;
  result.address = address;
  result.length = raw.length;
  result.flow = flow_of(raw);
  const bool branches = result.flow == Flow::kConditional || result.flow == Flow::kJump || result.flow == Flow::kCall;
  if (branches && raw.raw.imm[0].is_relative != 0) {
    result.target = address + raw.length + static_cast<std::uint64_t>(raw.raw.imm[0].value.s);
  }
  return result;
}

std::uint16_t written_registers(const ZydisDecodedInstruction& raw, const Operands& operands) {
  std::uint16_t mask = 0;
  for (std::size_t i = 0; i < raw.operand_count; ++i) {
    const auto& operand = operands.at(i);
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes(operand)) {
      continue;
    }
    if (const auto number = general_register(operand.reg.value)) {
      mask = static_cast<std::uint16_t>(mask | (1U << *number));
    }
  }
  return mask;
}

constexpr std::uint16_t kRspBit = 1U << 4U;

// What push, pop, sub, add and lea do to the stack pointer. Anything else that writes it cannot be followed.
std::optional<std::int32_t> stack_growth(const ZydisDecodedInstruction& raw, const Operands& operands) {
  const auto bounded = [](std::int64_t value) -> std::optional<std::int32_t> {
    constexpr std::int64_t kLimit = 1 << 30;
    return value > -kLimit && value < kLimit ? std::optional(static_cast<std::int32_t>(value)) : std::nullopt;
  };
  const bool on_rsp = operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == ZYDIS_REGISTER_RSP;
  switch (raw.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
      return raw.operand_width == 16 ? 2 : 8;
    case ZYDIS_MNEMONIC_POP:
      if (on_rsp) {
        return std::nullopt;
      }
      return raw.operand_width == 16 ? -2 : -8;
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_ADD:
      if (on_rsp && operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        const std::int64_t value = operands[1].imm.value.s;
        return bounded(raw.mnemonic == ZYDIS_MNEMONIC_SUB ? value : -value);
      }
      break;
    case ZYDIS_MNEMONIC_LEA:
      if (on_rsp && operands[1].mem.base == ZYDIS_REGISTER_RSP && operands[1].mem.index == ZYDIS_REGISTER_NONE) {
        return bounded(-operands[1].mem.disp.value);
      }
      break;
    default:
      break;
  }
  return (written_registers(raw, operands) & kRspBit) == 0 ? std::optional(0) : std::nullopt;
}

}  // namespace

std::optional<Instruction> decode(std::span<const std::byte> code, std::uint64_t address, bool is_entry,
                                  const KernelTreatment& kernel) {
  const auto decoded = decode_full(code);
  if (!decoded) {
    return std::nullopt;
  }
  const auto& [raw, operands] = *decoded;
  Instruction result = with_flow(raw, address);
  Treatment treatment = treat(raw, code.first(raw.length), is_entry, kernel);
  result.kind = treatment.kind;
  result.kind_reason = std::move(treatment.reason);
  result.written_registers = written_registers(raw, operands);
  result.stack_growth = stack_growth(raw, operands);
  result.text = format_instruction(*decoded, address);
  return result;
}

std::optional<Instruction> decode_flow(std::span<const std::byte> code, std::uint64_t address) {
  const auto raw = decode_minimal(code);
  return raw ? std::optional(with_flow(*raw, address)) : std::nullopt;
}

}  // namespace raceguard::symbols
