// SPDX-License-Identifier: Apache-2.0
// One decoded x86-64 instruction, as far as the choice of a site needs it. Zydis stays behind this header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

// What the running kernel does better than the oldest supported one (6.1). The kernel stage finds out by trying.
struct KernelTreatment {
  bool emulates_long_nops = false;  // commit "uprobes/x86: Add support to emulate nop instructions", 6.16
  bool optimises_nop5 = false;      // uprobes on a 5-byte nop become a call: 6.18
};

enum class Flow { kNext, kConditional, kJump, kIndirectJump, kCall, kReturn, kTrap };

struct Instruction {
  std::uint64_t address = 0;
  std::uint8_t length = 0;
  Flow flow = Flow::kNext;
  std::optional<std::uint64_t> target;       // of a direct branch or call
  SiteKind kind = SiteKind::kRefused;        // at any place of a function; kNop5 only where `address` is its entry
  std::string kind_reason;                   // "emulated: push reg"
  std::uint16_t written_registers = 0;       // bit n: general register n (rax rcx rdx rbx rsp rbp rsi rdi r8..r15)
  std::optional<std::int32_t> stack_growth;  // bytes pushed (negative: popped); empty: cannot be told
  std::string text;                          // Intel syntax
};

// Everything about the instruction at the head of `code`; nothing if the bytes are none.
std::optional<Instruction> decode(std::span<const std::byte> code, std::uint64_t address, bool is_entry,
                                  const KernelTreatment& kernel);

// Only length, flow and target: three times as fast, for the scan of a whole function.
std::optional<Instruction> decode_flow(std::span<const std::byte> code, std::uint64_t address);

}  // namespace raceguard::symbols
