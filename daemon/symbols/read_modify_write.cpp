// SPDX-License-Identifier: Apache-2.0
// Follows values through a few instructions: which loads each register's value was computed from.
#include "daemon/symbols/read_modify_write.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "daemon/symbols/straight_code.h"
#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kReach = 31;
constexpr std::size_t kGeneralRegisters = 16;
constexpr std::size_t kRegisters = 2 * kGeneralRegisters;  // and as many vector registers
constexpr unsigned kStackPointer = 4;                      // by encoding
constexpr unsigned kFramePointer = 5;

// What a register or a stack slot holds. Two with one id are equal.
struct Value {
  std::uint32_t id = 0;
  std::uint64_t loads = 0;  // bit n: computed from what instruction n loaded
  bool computed = false;    // by more than moves
};

// A memory operand by the values that its registers hold.
struct Operand {
  std::uint32_t base = 0, index = 0;
  std::uint8_t scale = 0;
  std::int64_t displacement = 0;
  ZydisRegister segment = ZYDIS_REGISTER_NONE;
  std::uint16_t bits = 0;

  auto operator<=>(const Operand&) const = default;
};

bool only_moves(ZydisMnemonic mnemonic) {
  constexpr std::array kMoves = {
      ZYDIS_MNEMONIC_MOV,     ZYDIS_MNEMONIC_MOVZX,   ZYDIS_MNEMONIC_MOVSX,   ZYDIS_MNEMONIC_MOVSXD,
      ZYDIS_MNEMONIC_MOVD,    ZYDIS_MNEMONIC_MOVQ,    ZYDIS_MNEMONIC_MOVSS,   ZYDIS_MNEMONIC_MOVSD,
      ZYDIS_MNEMONIC_MOVAPS,  ZYDIS_MNEMONIC_MOVAPD,  ZYDIS_MNEMONIC_MOVUPS,  ZYDIS_MNEMONIC_MOVDQA,
      ZYDIS_MNEMONIC_MOVDQU,  ZYDIS_MNEMONIC_VMOVD,   ZYDIS_MNEMONIC_VMOVQ,   ZYDIS_MNEMONIC_VMOVSS,
      ZYDIS_MNEMONIC_VMOVSD,  ZYDIS_MNEMONIC_VMOVAPS, ZYDIS_MNEMONIC_VMOVAPD, ZYDIS_MNEMONIC_VMOVUPS,
      ZYDIS_MNEMONIC_VMOVDQA, ZYDIS_MNEMONIC_VMOVDQU, ZYDIS_MNEMONIC_CDQE,    ZYDIS_MNEMONIC_CWDE};
  return std::ranges::find(kMoves, mnemonic) != kMoves.end();
}

std::optional<std::size_t> slot_of(ZydisRegister reg) {
  if (const auto general = general_register(reg)) {
    return *general;
  }
  const ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (full >= ZYDIS_REGISTER_ZMM0 && full <= ZYDIS_REGISTER_ZMM15) {
    return kGeneralRegisters + static_cast<std::size_t>(full - ZYDIS_REGISTER_ZMM0);
  }
  return std::nullopt;
}

class ValueTrace {
 public:
  ValueTrace() {
    for (Value& value : registers_) {
      value = fresh();
    }
  }

  // Calls `pair(load, store)`, indices of instructions, for each store of what was computed from a load of the same
  // operand.
  template <typename Pair>
  void run(const std::vector<PlacedInstruction>& code, Pair&& pair) {
    for (std::size_t i = 0; i < code.size() && i < 64; ++i) {
      step(code[i], i, pair);
    }
  }

 private:
  Value fresh() { return Value{.id = ++last_id_, .loads = 0, .computed = false}; }

  template <typename Pair>
  void step(const PlacedInstruction& placed, std::size_t number, Pair& pair) {
    const DecodedInstruction& decoded = placed.decoded;
    const std::span operands(decoded.operands.data(), decoded.raw.operand_count);
    const bool moves = only_moves(decoded.raw.mnemonic);
    const Value result = result_of(placed, operands, number, moves);
    for (const ZydisDecodedOperand& operand : operands) {
      if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM && writes(operand)) {
        store(operand_of(placed, operand), is_on_stack(operand), result, number, pair);
      }
    }
    for (const ZydisDecodedOperand& operand : operands) {
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && writes(operand)) {
        if (const auto slot = slot_of(operand.reg.value)) {
          registers_.at(*slot) = moves ? result : fresh_from(result);
        }
      }
    }
  }

  Value fresh_from(const Value& value) {
    return Value{.id = ++last_id_, .loads = value.loads, .computed = value.computed};
  }

  // What an instruction computes of all that it reads. A plain move keeps the value's identity.
  Value result_of(const PlacedInstruction& placed, std::span<const ZydisDecodedOperand> operands, std::size_t number,
                  bool moves) {
    if (clears(placed.decoded)) {
      return fresh();
    }
    Value result = fresh();
    std::size_t sources = 0;
    const auto add = [&](const Value& value) {
      result.id = moves && sources == 0 ? value.id : ++last_id_;
      result.loads |= value.loads;
      result.computed = result.computed || value.computed || !moves;
      ++sources;
    };
    for (const ZydisDecodedOperand& operand : operands) {
      if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && reads(operand)) {
        if (const auto slot = slot_of(operand.reg.value)) {
          add(registers_.at(*slot));
        }
      } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
        add(value_of(operand.mem.base));  // lea computes of its registers
        add(value_of(operand.mem.index));
      } else if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.type == ZYDIS_MEMOP_TYPE_MEM &&
                 reads(operand)) {
        add(load(operand_of(placed, operand), is_on_stack(operand), number));
      }
    }
    return result;
  }

  static bool clears(const DecodedInstruction& decoded) {
    const bool idiom = decoded.raw.mnemonic == ZYDIS_MNEMONIC_XOR || decoded.raw.mnemonic == ZYDIS_MNEMONIC_SUB ||
                       decoded.raw.mnemonic == ZYDIS_MNEMONIC_PXOR || decoded.raw.mnemonic == ZYDIS_MNEMONIC_XORPS;
    return idiom && decoded.operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           decoded.operands[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           decoded.operands[0].reg.value == decoded.operands[1].reg.value;
  }

  Value value_of(ZydisRegister reg) const {
    const auto slot = slot_of(reg);
    return slot ? registers_.at(*slot) : Value{};
  }

  Operand operand_of(const PlacedInstruction& placed, const ZydisDecodedOperand& operand) const {
    Operand result;
    result.base = value_of(operand.mem.base).id;
    result.index = value_of(operand.mem.index).id;
    result.scale = operand.mem.scale;
    result.displacement = operand.mem.disp.value;
    if (operand.mem.base == ZYDIS_REGISTER_RIP) {
      result.displacement += static_cast<std::int64_t>(placed.address + placed.decoded.raw.length);
    }
    const bool other_segment = operand.mem.segment == ZYDIS_REGISTER_FS || operand.mem.segment == ZYDIS_REGISTER_GS;
    result.segment = other_segment ? operand.mem.segment : ZYDIS_REGISTER_NONE;
    result.bits = operand.size;
    return result;
  }

  static bool is_on_stack(const ZydisDecodedOperand& operand) {
    const auto base = general_register(operand.mem.base);
    return base && (*base == kStackPointer || *base == kFramePointer) && operand.mem.index == ZYDIS_REGISTER_NONE;
  }

  Value load(const Operand& operand, bool on_stack, std::size_t number) {
    if (on_stack) {
      return stack_.try_emplace(operand, fresh()).first->second;
    }
    loaded_[number] = operand;
    Value value = fresh();
    value.loads = std::uint64_t{1} << number;
    return value;
  }

  template <typename Pair>
  void store(const Operand& operand, bool on_stack, const Value& value, std::size_t number, Pair& pair) {
    if (on_stack) {
      stack_[operand] = value;
      return;
    }
    for (const auto& [load_number, load_operand] : loaded_) {
      const bool comes_from_it = (value.loads >> load_number & 1U) != 0;
      if (comes_from_it && value.computed && load_operand == operand && load_number != number) {
        pair(load_number, number);
      }
    }
  }

  std::uint32_t last_id_ = 0;
  std::array<Value, kRegisters> registers_;
  std::map<Operand, Value> stack_;
  std::map<std::size_t, Operand> loaded_;  // by the loading instruction
};

}  // namespace

bool writes_what_it_read(const ElfFile& file, const AccessInstruction& instruction) {
  const auto plain = [](const MemoryAccess& access) { return !access.atomic && !access.string_instruction; };
  if (std::ranges::none_of(instruction.accesses, plain)) {
    return false;
  }
  const auto updates = [&](const MemoryAccess& access) { return plain(access) && access.mode == AccessMode::kUpdate; };
  if (std::ranges::any_of(instruction.accesses, updates)) {
    return true;
  }
  const auto code = straight_code(file, instruction.address, kReach);
  bool found = false;
  ValueTrace().run(code, [&](std::size_t load, std::size_t store) {
    found = found || code[load].address == instruction.address || code[store].address == instruction.address;
  });
  return found;
}

}  // namespace raceguard::symbols
