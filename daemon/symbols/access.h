// SPDX-License-Identifier: Apache-2.0
// Which instruction touched memory, and how: what a watchpoint's hit does not say. Zydis stays behind this header.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {

enum class AccessMode { kRead, kWrite, kUpdate };  // kUpdate: one instruction reads and writes
inline constexpr std::array<std::string_view, 3> kAccessModeNames{"read", "write", "update"};  // by AccessMode

// base + index * scale + displacement, by DWARF register numbers (rg_record_access.registers); -1: none.
struct EffectiveAddress {
  std::int8_t base = -1;  // rip is never a base: its value is in the displacement, a virtual address in the file
  std::int8_t index = -1;
  std::uint8_t scale = 1;
  std::int64_t displacement = 0;
  bool thread_local_segment = false;  // fs: or gs:
  // Not to be computed from the registers behind the instruction, because it wrote base or index. (What has no such
  // form at all - vector index, xlat, 32-bit base - has neither base nor index and is lost as well.)
  bool lost = false;
};

struct MemoryAccess {
  AccessMode mode = AccessMode::kRead;
  std::uint8_t width_bytes = 0;     // of one access; of one element where repeated; 255: more (xsave)
  bool atomic = false;              // lock prefix, or xchg with memory
  bool string_instruction = false;  // movs, stos, ... with or without rep: never how an atomic is accessed
  bool vector = false;              // SSE or AVX register on the other side
  EffectiveAddress where;
};

// One instruction with its accesses to data; pushes, calls and returns through rsp do not count, nor do lea, nop and
// prefetch, which only look like accesses (a prefetch does not trigger a watchpoint).
struct AccessInstruction {
  std::uint64_t address = 0;  // virtual address in the file
  std::uint8_t length = 0;
  std::string text;  // Intel syntax
  std::vector<MemoryAccess> accesses;
};

// Nothing if the bytes are no instruction.
std::optional<AccessInstruction> decode_access(std::span<const std::byte> code, std::uint64_t address);

// `registers` by DWARF number (rax rdx rcx rbx rsi rdi rbp rsp r8..r15), as they are behind the instruction;
// `load_bias`: run-time address - address in the file. Nothing if it is lost or in a thread's segment.
std::optional<std::uint64_t> effective_address(const EffectiveAddress& where, std::span<const std::uint64_t> registers,
                                               std::uint64_t load_bias);

// The instructions whose access a watchpoint may have reported at `ip` (virtual address in the file): the one that ends
// there, and a rep string instruction at ip itself, which the kernel reports as long as it goes on. Nearly always one.
// Decoded from the start of the function: a symbol, else .eh_frame_hdr, so that it works on stripped binaries.
// kSymbolNotFound: no function holds ip, or no instruction ends there, or it accesses no data (a call or jump through
// memory brought the thread to ip), or ip is the entry of a function (a call through memory).
// What is found is certain but for one case: an indirect jump that reads its target from the watched memory and goes
// right behind another access. Where effective_address() can be computed it tells them apart.
Result<std::vector<AccessInstruction>> access_candidates(const ElfFile& file, std::uint64_t ip);

// The only candidate; kSymbolNotFound also where there are two.
Result<AccessInstruction> access_before(const ElfFile& file, std::uint64_t ip);

// The accesses of an instruction that is decoded already (zydis_decoder.h).
struct DecodedInstruction;
std::vector<MemoryAccess> accesses_of(const DecodedInstruction& instruction, std::uint64_t address);

// Start of the function that holds `address`, by symbol or .eh_frame_hdr; nothing: neither knows it.
std::optional<std::uint64_t> function_start(const ElfFile& file, std::uint64_t address);
// Where the function that starts there ends, by the same; 4 KiB on if neither knows.
std::uint64_t function_end(const ElfFile& file, std::uint64_t start);

}  // namespace raceguard::symbols
