// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/value_state.h"

#include <algorithm>

namespace raceguard::symbols {
namespace {

constexpr unsigned kStackPointer = 4;
constexpr unsigned kFramePointer = 5;
constexpr std::uint64_t kWord = 8;

std::uint64_t low_bits(std::uint64_t value, unsigned bits) {
  return bits >= 64 ? value : value & ((std::uint64_t{1} << bits) - 1);
}

std::uint64_t sign_extended(std::uint64_t value, unsigned bits) {
  if (bits >= 64) {
    return value;
  }
  const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
  return (low_bits(value, bits) ^ sign) - sign;
}

KnownValue arithmetic(ZydisMnemonic mnemonic, std::uint64_t a, std::uint64_t b) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_ADD:
      return a + b;
    case ZYDIS_MNEMONIC_SUB:
      return a - b;
    case ZYDIS_MNEMONIC_AND:
      return a & b;
    case ZYDIS_MNEMONIC_OR:
      return a | b;
    case ZYDIS_MNEMONIC_XOR:
      return a ^ b;
    case ZYDIS_MNEMONIC_SHL:
      return b < 64 ? KnownValue(a << b) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool is_memory(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM;
}

}  // namespace

KnownValue ValueState::address_of(const ZydisDecodedOperandMem& memory, std::uint64_t next_address) const {
  if (memory.segment == ZYDIS_REGISTER_FS || memory.segment == ZYDIS_REGISTER_GS) {
    return std::nullopt;
  }
  std::uint64_t address = memory.disp.has_displacement != 0 ? static_cast<std::uint64_t>(memory.disp.value) : 0;
  const auto add = [&](ZydisRegister reg, std::uint64_t scale) {
    if (reg == ZYDIS_REGISTER_NONE) {
      return true;
    }
    if (reg == ZYDIS_REGISTER_RIP) {
      address += next_address;
      return true;
    }
    const bool full = reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15;
    const KnownValue value = full ? registers_.at(*general_register(reg)) : std::nullopt;
    address += value.value_or(0) * scale;
    return value.has_value();
  };
  return add(memory.base, 1) && add(memory.index, memory.scale) ? KnownValue(address) : std::nullopt;
}

KnownValue ValueState::load(KnownValue address, unsigned bits, const Reader& read) const {
  if (!address || bits > 64) {
    return std::nullopt;
  }
  // What was stored meanwhile, or part of it.
  const auto near = stored_.lower_bound(*address - std::min(*address, kWord - 1));
  if (near != stored_.end() && near->first < *address + kWord) {
    return near->first == *address && near->second ? KnownValue(low_bits(*near->second, bits)) : std::nullopt;
  }
  const KnownValue word = read(*address);
  return word ? KnownValue(low_bits(*word, bits)) : std::nullopt;
}

void ValueState::store(KnownValue address, unsigned bits, KnownValue value) {
  if (address) {
    stored_[*address] = bits == 64 ? value : std::nullopt;
  }
}

KnownValue ValueState::value_of(const ZydisDecodedOperand& operand, std::uint64_t next_address,
                                const Reader& read) const {
  switch (operand.type) {
    case ZYDIS_OPERAND_TYPE_REGISTER: {
      const bool high_byte = operand.reg.value >= ZYDIS_REGISTER_AH && operand.reg.value <= ZYDIS_REGISTER_BH;
      const auto number = high_byte ? std::nullopt : general_register(operand.reg.value);
      const KnownValue value = number ? registers_.at(*number) : std::nullopt;
      return value ? KnownValue(low_bits(*value, operand.size)) : std::nullopt;
    }
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
      return operand.imm.value.u;
    case ZYDIS_OPERAND_TYPE_MEMORY:
      return operand.mem.type == ZYDIS_MEMOP_TYPE_MEM ? load(address_of(operand.mem, next_address), operand.size, read)
                                                      : std::nullopt;
    default:
      return std::nullopt;
  }
}

// What the instruction writes to its first operand.
KnownValue ValueState::result(const DecodedInstruction& instruction, std::uint64_t next_address,
                              const Reader& read) const {
  const ZydisDecodedOperand& to = instruction.operands[0];
  const ZydisDecodedOperand& from = instruction.operands[1];
  switch (instruction.raw.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
      return value_of(from, next_address, read);
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD: {
      const KnownValue value = value_of(from, next_address, read);
      return value ? KnownValue(sign_extended(*value, from.size)) : std::nullopt;
    }
    case ZYDIS_MNEMONIC_LEA:
      return address_of(from.mem, next_address);
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC: {
      const KnownValue value = value_of(to, next_address, read);
      const std::uint64_t by = instruction.raw.mnemonic == ZYDIS_MNEMONIC_INC ? 1 : ~std::uint64_t{0};
      return value ? KnownValue(*value + by) : std::nullopt;
    }
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_SUB:
      if (to.type == ZYDIS_OPERAND_TYPE_REGISTER && from.type == ZYDIS_OPERAND_TYPE_REGISTER &&
          to.reg.value == from.reg.value) {
        return 0;
      }
      [[fallthrough]];
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_SHL: {
      const KnownValue a = value_of(to, next_address, read);
      const KnownValue b = value_of(from, next_address, read);
      return a && b ? arithmetic(instruction.raw.mnemonic, *a, *b) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// push, pop, leave: what they do to the stack pointer is not in their visible operands.
bool ValueState::step_stack(const DecodedInstruction& instruction, std::uint64_t next_address, const Reader& read) {
  KnownValue& top = registers_.at(kStackPointer);
  const auto pop = [&]() -> KnownValue {
    const KnownValue value = load(top, 64, read);
    top = top ? KnownValue(*top + kWord) : std::nullopt;
    return value;
  };
  switch (instruction.raw.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH: {
      const KnownValue value = value_of(instruction.operands[0], next_address, read);
      top = top ? KnownValue(*top - kWord) : std::nullopt;
      store(top, 64, value);
      return true;
    }
    case ZYDIS_MNEMONIC_POP: {
      const KnownValue value = pop();
      const auto to = instruction.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER
                          ? general_register(instruction.operands[0].reg.value)
                          : std::nullopt;
      if (to) {
        registers_.at(*to) = value;
      }
      return true;
    }
    case ZYDIS_MNEMONIC_LEAVE:
      top = registers_.at(kFramePointer);
      registers_.at(kFramePointer) = pop();
      return true;
    default:
      return false;
  }
}

void ValueState::step(const DecodedInstruction& instruction, std::uint64_t next_address, const Reader& read) {
  if (step_stack(instruction, next_address, read)) {
    return;
  }
  const KnownValue computed =
      instruction.raw.operand_count > 0 ? result(instruction, next_address, read) : std::nullopt;
  // Addresses first: the instruction may write their registers.
  for (std::size_t i = 0; i < instruction.raw.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands.at(i);
    if (is_memory(operand) && writes(operand)) {
      store(address_of(operand.mem, next_address), operand.size, i == 0 ? computed : std::nullopt);
    }
  }
  for (std::size_t i = 0; i < instruction.raw.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands.at(i);
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || !writes(operand)) {
      continue;
    }
    if (const auto number = general_register(operand.reg.value)) {
      // A write of 32 bits clears the upper half; one of 8 or 16 leaves it.
      const bool whole = i == 0 && operand.size >= 32;
      registers_.at(*number) = whole && computed ? KnownValue(low_bits(*computed, operand.size)) : std::nullopt;
    }
  }
}

void ValueState::return_from_call() {
  for (const unsigned number : {0U, 1U, 2U, 6U, 7U, 8U, 9U, 10U, 11U}) {
    registers_.at(number).reset();
  }
}

}  // namespace raceguard::symbols
