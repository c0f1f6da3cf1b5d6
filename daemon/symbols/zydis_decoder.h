// SPDX-License-Identifier: Apache-2.0
// What the decoders of this stage share. The only headers that name Zydis are this one and kernel_treatment.h.
#pragma once

#include <Zydis/Zydis.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace raceguard::symbols {

using Operands = std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT>;

struct DecodedInstruction {
  ZydisDecodedInstruction raw;
  Operands operands{};
};

std::optional<DecodedInstruction> decode_full(std::span<const std::byte> code);
// Without operands, mnemonic and category: three times as fast.
std::optional<ZydisDecodedInstruction> decode_minimal(std::span<const std::byte> code);

// Intel syntax.
std::string format_instruction(const DecodedInstruction& instruction, std::uint64_t address);

// 0..15 as in the instruction's encoding (rax rcx rdx rbx rsp rbp rsi rdi r8..r15) of the 64-bit register that `part`
// belongs to; nothing for any other register.
std::optional<unsigned> general_register(ZydisRegister part);

bool reads(const ZydisDecodedOperand& operand);
bool writes(const ZydisDecodedOperand& operand);

}  // namespace raceguard::symbols
