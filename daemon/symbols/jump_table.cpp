// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/jump_table.h"

#include <algorithm>
#include <cstring>

#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMostEntries = 1024;

struct Table {
  std::uint64_t address = 0;
  bool is_relative = false;  // 4 bytes each, from the table; else addresses
};

using Decoded = std::optional<DecodedInstruction>;

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister wanted) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == wanted;
}

bool writes_register(const DecodedInstruction& instruction, ZydisRegister wanted) {
  for (std::size_t i = 0; i < instruction.raw.operand_count; ++i) {
    const ZydisDecodedOperand& operand = instruction.operands.at(i);
    if (operand.type == ZYDIS_OPERAND_TYPE_REGISTER && writes(operand) &&
        ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, operand.reg.value) == wanted) {
      return true;
    }
  }
  return false;
}

// The address that `lea base, [rip + ...]` put there, if nothing wrote it since.
std::optional<std::uint64_t> address_in(ZydisRegister base, std::span<const CodeAt> run,
                                        std::span<const Decoded> decoded) {
  for (std::size_t i = decoded.size(); i-- > 0;) {
    if (!decoded[i]) {
      return std::nullopt;
    }
    const auto& [raw, operands] = *decoded[i];
    if (!writes_register(*decoded[i], base)) {
      continue;
    }
    const bool is_address = raw.mnemonic == ZYDIS_MNEMONIC_LEA && is_register(operands[0], base) &&
                            operands[1].mem.base == ZYDIS_REGISTER_RIP;
    return is_address
               ? std::optional(run[i].address + raw.length + static_cast<std::uint64_t>(operands[1].mem.disp.value))
               : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Table> find_table(std::span<const CodeAt> run, std::span<const Decoded> decoded) {
  if (run.empty() || !decoded.back()) {
    return std::nullopt;
  }
  const ZydisDecodedOperand& target = decoded.back()->operands[0];
  if (target.type == ZYDIS_OPERAND_TYPE_MEMORY) {
    const auto& memory = target.mem;
    const bool is_table = memory.base == ZYDIS_REGISTER_NONE && memory.index != ZYDIS_REGISTER_NONE &&
                          memory.scale == sizeof(std::uint64_t) && memory.segment != ZYDIS_REGISTER_FS &&
                          memory.segment != ZYDIS_REGISTER_GS;
    return is_table ? std::optional(Table{.address = static_cast<std::uint64_t>(memory.disp.value)}) : std::nullopt;
  }
  // Backward: the sum, then the entry, then the base.
  bool is_summed = false;
  for (std::size_t i = decoded.size() - 1; i-- > 0;) {
    if (!decoded[i]) {
      return std::nullopt;
    }
    const auto& [raw, operands] = *decoded[i];
    const bool is_entry = raw.mnemonic == ZYDIS_MNEMONIC_MOVSXD && operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                          operands[1].mem.scale == sizeof(std::int32_t) && operands[1].mem.disp.value == 0;
    if (is_summed && is_entry) {
      const auto address = address_in(operands[1].mem.base, run.first(i), decoded.first(i));
      return address ? std::optional(Table{.address = *address, .is_relative = true}) : std::nullopt;
    }
    if (writes_register(*decoded[i], target.reg.value)) {
      if (raw.mnemonic != ZYDIS_MNEMONIC_ADD) {
        return std::nullopt;
      }
      is_summed = true;
    }
  }
  return std::nullopt;
}

template <typename Entry>
std::vector<std::uint64_t> targets_in(std::span<const std::byte> bytes, std::uint64_t base,
                                      const std::function<bool(std::uint64_t)>& is_target) {
  std::vector<std::uint64_t> targets;
  for (std::size_t at = 0; at + sizeof(Entry) <= bytes.size(); at += sizeof(Entry)) {
    Entry entry{};
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    const std::uint64_t target = base + static_cast<std::uint64_t>(entry);
    if (!is_target(target)) {
      break;
    }
    targets.push_back(target);
  }
  return targets;
}

}  // namespace

std::vector<std::uint64_t> jump_table_targets(std::span<const CodeAt> run, const ReadMemory& read,
                                              const std::function<bool(std::uint64_t)>& is_target) {
  std::vector<Decoded> decoded;
  std::ranges::transform(run, std::back_inserter(decoded), [](const CodeAt& at) { return decode_full(at.code); });
  const auto table = find_table(run, decoded);
  if (!table || !read) {
    return {};
  }
  const auto bytes =
      read(table->address, kMostEntries * (table->is_relative ? sizeof(std::int32_t) : sizeof(std::uint64_t)));
  return table->is_relative ? targets_in<std::int32_t>(bytes, table->address, is_target)
                            : targets_in<std::uint64_t>(bytes, 0, is_target);
}

}  // namespace raceguard::symbols
