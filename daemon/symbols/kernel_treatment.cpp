// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/kernel_treatment.h"

#include <algorithm>
#include <array>

namespace raceguard::symbols {
namespace {

using Raw = ZydisDecodedInstruction;

bool has_prefix(const Raw& instruction, std::uint8_t prefix) {
  for (std::size_t i = 0; i < instruction.raw.prefix_count; ++i) {
    if (instruction.raw.prefixes[i].value == prefix) {
      return true;
    }
  }
  return false;
}

bool is_legacy(const Raw& instruction) { return instruction.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY; }
bool is_one_byte(const Raw& instruction) {
  return is_legacy(instruction) && instruction.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}
bool is_two_byte(const Raw& instruction) {
  return is_legacy(instruction) && instruction.opcode_map == ZYDIS_OPCODE_MAP_0F;
}

// One-byte opcodes that the kernel does not step in a 64-bit program: invalid ones, port I/O, int, iret, hlt, cli, sti.
// For a VEX or EVEX instruction the kernel looks its last opcode byte up in the same table, so that `vmovdqu` (6F) is
// refused and `movdqu` (0F 6F) is not. All opcodes behind 0F are accepted.
constexpr std::array<std::uint8_t, 40> kRefusedOpcodes = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
                                                          0x3f, 0x60, 0x61, 0x62, 0x6c, 0x6d, 0x6e, 0x6f, 0x82, 0x9a,
                                                          0xcc, 0xcd, 0xce, 0xcf, 0xd4, 0xd5, 0xd6, 0xe4, 0xe5, 0xe6,
                                                          0xe7, 0xea, 0xec, 0xed, 0xee, 0xef, 0xf1, 0xf4, 0xfa, 0xfb};

// The kernel's own padding nops, x86_nops[1..8]; it emulates these and, of all lengths, a prefixed 90.
bool is_kernel_nop(std::span<const std::byte> bytes) {
  static constexpr std::array<std::array<std::uint8_t, 8>, 8> kNops = {{
      {0x90},
      {0x66, 0x90},
      {0x0f, 0x1f, 0x00},
      {0x0f, 0x1f, 0x40, 0x00},
      {0x0f, 0x1f, 0x44, 0x00, 0x00},
      {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
      {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
      {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
  }};
  if (bytes.empty() || bytes.size() > kNops.size()) {
    return false;
  }
  return std::ranges::equal(bytes, std::span(kNops.at(bytes.size() - 1)).first(bytes.size()), {},
                            [](std::byte value) { return std::to_integer<std::uint8_t>(value); });
}

bool is_multi_byte_nop(const Raw& instruction) {
  return is_two_byte(instruction) && instruction.opcode == 0x1f && instruction.raw.modrm.reg == 0;
}

bool is_plain_nop(const Raw& instruction) {
  // The kernel takes every prefixed 90 for a nop: also `pause` (F3 90), but not `xchg r8, rax` (49 90), which has a REX
  // prefix that its decoder keeps apart and that it steps over as a nop all the same; that one is refused here.
  return is_one_byte(instruction) && instruction.opcode == 0x90 && instruction.raw.rex.B == 0;
}

bool is_relative_branch(const Raw& instruction) {
  const std::uint8_t opcode = instruction.opcode;
  if (is_one_byte(instruction)) {
    return opcode == 0xeb || opcode == 0xe9 || opcode == 0xe8 || (opcode >= 0x70 && opcode <= 0x7f);
  }
  return is_two_byte(instruction) && opcode >= 0x80 && opcode <= 0x8f;
}

bool is_emulated_push(const Raw& instruction) {
  if (!is_one_byte(instruction) || instruction.opcode < 0x50 || instruction.opcode > 0x57) {
    return false;
  }
  // One byte, or two with REX.B alone (push r8..r15); `66 push` and a superfluous REX.W are stepped.
  const auto& rex = instruction.raw.rex;
  return instruction.length == 1 || (instruction.length == 2 && rex.B == 1 && rex.W == 0 && rex.R == 0 && rex.X == 0);
}

std::string refused_because(const Raw& instruction) {
  if (has_prefix(instruction, 0xf0)) {
    return "the kernel refuses a lock prefix";
  }
  for (const std::uint8_t segment : std::initializer_list<std::uint8_t>{0x26, 0x2e, 0x36, 0x3e}) {
    if (has_prefix(instruction, segment)) {
      return "the kernel refuses an es, cs, ss, ds or notrack prefix";
    }
  }
  // mov ss and pop ss mask the debug exception that stepping needs (kernel: insn_masking_exception).
  if (is_one_byte(instruction) && instruction.opcode == 0x8e && instruction.raw.modrm.reg == 2) {
    return "the kernel refuses an instruction that masks exceptions";
  }
  const bool table_applies = is_one_byte(instruction) || !is_legacy(instruction);
  if (table_applies && std::ranges::find(kRefusedOpcodes, instruction.opcode) != kRefusedOpcodes.end()) {
    return "the kernel refuses this opcode";
  }
  if (is_relative_branch(instruction) && has_prefix(instruction, 0x66)) {
    return "the kernel refuses a branch with an operand-size prefix";
  }
  if (is_one_byte(instruction) && instruction.opcode == 0x90 && instruction.raw.rex.B == 1) {
    return "the kernel would take this xchg for a nop";
  }
  return {};
}

}  // namespace

Treatment treat(const Raw& instruction, std::span<const std::byte> bytes, bool is_entry,
                const KernelTreatment& kernel) {
  if (std::string reason = refused_because(instruction); !reason.empty()) {
    return {SiteKind::kRefused, std::move(reason)};
  }
  const bool nop = is_plain_nop(instruction) || is_multi_byte_nop(instruction);
  if (nop && instruction.length == 5) {
    if (!is_entry) {
      // 6.18's optimised uprobe pushes onto the stack and overwrites the red zone of a leaf function.
      return {SiteKind::kRefused, "not safe: some kernels corrupt the red zone at a 5-byte nop inside a function"};
    }
    if (kernel.optimises_nop5) {
      return {SiteKind::kNop5, "optimised: 5-byte nop at the entry"};
    }
  }
  if (is_plain_nop(instruction)) {
    return {SiteKind::kEmulated, "emulated: nop"};
  }
  if (kernel.emulates_long_nops && is_kernel_nop(bytes)) {
    return {SiteKind::kEmulated, "emulated: multi-byte nop"};
  }
  if (is_emulated_push(instruction)) {
    return {SiteKind::kEmulated, "emulated: push reg"};
  }
  if (is_relative_branch(instruction)) {
    return {SiteKind::kEmulated,
            instruction.meta.category == ZYDIS_CATEGORY_CALL ? "emulated: call rel32" : "emulated: relative branch"};
  }
  return {SiteKind::kSingleStepped, "single-stepped out of line"};
}

}  // namespace raceguard::symbols
