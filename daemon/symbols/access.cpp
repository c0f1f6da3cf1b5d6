// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/access.h"

#include <algorithm>
#include <array>

#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint8_t kWiderThanFits = 255;

// The encoding counts rax rcx rdx rbx rsp rbp rsi rdi; DWARF (System V x86-64 ABI, figure 3.36) does not.
std::int8_t dwarf_register(unsigned encoding) {
  constexpr std::array<std::int8_t, 8> kFirst = {0, 2, 1, 3, 7, 6, 4, 5};
  return encoding < kFirst.size() ? kFirst.at(encoding) : static_cast<std::int8_t>(encoding);
}

bool is_full_register(ZydisRegister reg) { return reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15; }

bool is_vector_register(ZydisRegister reg) {
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_MMX:
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
      return true;
    default:
      return false;
  }
}

bool writes_register(const DecodedInstruction& instruction, ZydisRegister reg) {
  return std::any_of(instruction.operands.begin(), instruction.operands.begin() + instruction.raw.operand_count,
                     [&](const ZydisDecodedOperand& operand) {
                       return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && writes(operand) &&
                              ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == reg;
                     });
}

EffectiveAddress effective(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand,
                           std::uint64_t address) {
  const ZydisDecodedOperandMem& memory = operand.mem;
  EffectiveAddress where;
  where.displacement = memory.disp.has_displacement != 0 ? memory.disp.value : 0;
  where.scale = std::max<std::uint8_t>(memory.scale, 1);
  where.thread_local_segment = memory.segment == ZYDIS_REGISTER_FS || memory.segment == ZYDIS_REGISTER_GS;
  const bool base_fits =
      memory.base == ZYDIS_REGISTER_NONE || memory.base == ZYDIS_REGISTER_RIP || is_full_register(memory.base);
  const bool index_fits = memory.index == ZYDIS_REGISTER_NONE || is_full_register(memory.index);
  if (memory.type != ZYDIS_MEMOP_TYPE_MEM || !base_fits || !index_fits) {
    where.lost = true;
    return where;
  }
  if (memory.base == ZYDIS_REGISTER_RIP) {
    where.displacement += static_cast<std::int64_t>(address + instruction.raw.length);
  } else if (memory.base != ZYDIS_REGISTER_NONE) {
    where.base = dwarf_register(*general_register(memory.base));
    where.lost = writes_register(instruction, memory.base);
  }
  if (memory.index != ZYDIS_REGISTER_NONE) {
    where.index = dwarf_register(*general_register(memory.index));
    where.lost = where.lost || writes_register(instruction, memory.index);
  }
  return where;
}

// A push of a register, a call or a return uses the stack without naming it.
bool is_stack_use(const ZydisDecodedOperand& operand) {
  return operand.visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
         (operand.mem.base == ZYDIS_REGISTER_RSP || operand.mem.base == ZYDIS_REGISTER_RBP);
}

bool only_looks_like_access(const ZydisDecodedInstruction& raw) {
  switch (raw.meta.category) {
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
    case ZYDIS_CATEGORY_PREFETCHWT1:
      return true;
    default:
      return raw.mnemonic == ZYDIS_MNEMONIC_LEA;
  }
}

std::uint8_t width_of(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand) {
  const bool by_element =
      operand.mem.type == ZYDIS_MEMOP_TYPE_VSIB || instruction.raw.avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID;
  const unsigned bits = by_element ? operand.element_size : operand.size;
  return static_cast<std::uint8_t>(std::min<unsigned>(bits / 8, kWiderThanFits));
}

MemoryAccess access_of(const DecodedInstruction& instruction, const ZydisDecodedOperand& operand,
                       std::uint64_t address) {
  const ZydisDecodedInstruction& raw = instruction.raw;
  MemoryAccess access;
  access.mode = !writes(operand) ? AccessMode::kRead : reads(operand) ? AccessMode::kUpdate : AccessMode::kWrite;
  access.width_bytes = width_of(instruction, operand);
  access.atomic = (raw.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0 || raw.mnemonic == ZYDIS_MNEMONIC_XCHG;
  access.string_instruction =
      raw.meta.category == ZYDIS_CATEGORY_STRINGOP || raw.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
  access.vector = std::any_of(instruction.operands.begin(), instruction.operands.begin() + raw.operand_count,
                              [](const ZydisDecodedOperand& other) {
                                return other.type == ZYDIS_OPERAND_TYPE_REGISTER && is_vector_register(other.reg.value);
                              });
  access.where = effective(instruction, operand, address);
  return access;
}

}  // namespace

std::optional<AccessInstruction> decode_access(std::span<const std::byte> code, std::uint64_t address) {
  const auto decoded = decode_full(code);
  if (!decoded) {
    return std::nullopt;
  }
  AccessInstruction result;
  result.address = address;
  result.length = decoded->raw.length;
  result.text = format_instruction(*decoded, address);
  result.accesses = accesses_of(*decoded, address);
  return result;
}

std::vector<MemoryAccess> accesses_of(const DecodedInstruction& instruction, std::uint64_t address) {
  std::vector<MemoryAccess> accesses;
  if (only_looks_like_access(instruction.raw)) {
    return accesses;
  }
  for (std::size_t i = 0; i < instruction.raw.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands.at(i);
    const bool is_data = operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
                         operand.actions != 0 && !is_stack_use(operand);
    if (is_data) {
      accesses.push_back(access_of(instruction, operand, address));
    }
  }
  return accesses;
}

std::optional<std::uint64_t> effective_address(const EffectiveAddress& where, std::span<const std::uint64_t> registers,
                                               std::uint64_t load_bias) {
  const auto value = [&](std::int8_t number) -> std::optional<std::uint64_t> {
    const auto index = static_cast<std::size_t>(number);
    return index < registers.size() ? std::optional(registers[index]) : std::nullopt;
  };
  if (where.lost || where.thread_local_segment) {
    return std::nullopt;
  }
  std::uint64_t result = static_cast<std::uint64_t>(where.displacement);
  if (where.base < 0) {
    result += load_bias;
  } else if (const auto base = value(where.base)) {
    result += *base;
  } else {
    return std::nullopt;
  }
  if (where.index >= 0) {
    const auto index = value(where.index);
    if (!index) {
      return std::nullopt;
    }
    result += *index * where.scale;
  }
  return result;
}

}  // namespace raceguard::symbols
