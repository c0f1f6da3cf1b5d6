// SPDX-License-Identifier: Apache-2.0
// What the registers hold, and what was stored, while instructions are followed one by one.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {

using KnownValue = std::optional<std::uint64_t>;

class ValueState {
 public:
  using Registers = std::array<KnownValue, 16>;  // by encoding: rax rcx rdx rbx rsp rbp rsi rdi r8..r15
  using Reader = std::function<KnownValue(std::uint64_t address)>;

  explicit ValueState(const Registers& registers) : registers_(registers) {}

  [[nodiscard]] KnownValue known(std::size_t general_register) const { return registers_.at(general_register); }

  // Computes the instruction. `next_address`: of the one behind it, as the process sees it.
  void step(const DecodedInstruction& instruction, std::uint64_t next_address, const Reader& read);
  // A call came back.
  void return_from_call();

 private:
  // Where a memory operand lies, before the instruction runs.
  [[nodiscard]] KnownValue address_of(const ZydisDecodedOperandMem& memory, std::uint64_t next_address) const;
  [[nodiscard]] KnownValue value_of(const ZydisDecodedOperand& operand, std::uint64_t next_address,
                                    const Reader& read) const;
  [[nodiscard]] KnownValue load(KnownValue address, unsigned bits, const Reader& read) const;
  [[nodiscard]] KnownValue result(const DecodedInstruction& instruction, std::uint64_t next_address,
                                  const Reader& read) const;
  void store(KnownValue address, unsigned bits, KnownValue value);
  bool step_stack(const DecodedInstruction& instruction, std::uint64_t next_address, const Reader& read);

  Registers registers_;
  std::map<std::uint64_t, KnownValue> stored_;
};

}  // namespace raceguard::symbols
