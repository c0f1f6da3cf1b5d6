// SPDX-License-Identifier: Apache-2.0
// Which instruction touched memory, and how: what a watchpoint's hit does not say. Zydis stays behind this header.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {

enum class AccessMode { kRead, kWrite, kUpdate };  // kUpdate: one instruction reads and writes

// base + index * scale + displacement, by DWARF register numbers (rg_record_access.registers); -1: none.
struct EffectiveAddress {
  std::int8_t base = -1;  // 16: rip, already added to the displacement with base -1
  std::int8_t index = -1;
  std::uint8_t scale = 1;
  std::int64_t displacement = 0;
  bool thread_local_segment = false;  // fs: or gs:
  bool lost = false;  // the instruction wrote base or index: not to be computed from the registers behind it
};

struct MemoryAccess {
  AccessMode mode = AccessMode::kRead;
  std::uint8_t width_bytes = 0;     // of one access; of one element where repeated
  bool atomic = false;              // lock prefix, or xchg with memory
  bool string_instruction = false;  // movs, stos, ... with or without rep: never how an atomic is accessed
  bool vector = false;              // SSE or AVX operand
  EffectiveAddress where;
};

// One instruction with its accesses to data; pushes, calls and returns through rsp do not count.
struct AccessInstruction {
  std::uint64_t address = 0;  // virtual address in the file
  std::uint8_t length = 0;
  std::string text;  // Intel syntax
  std::vector<MemoryAccess> accesses;
};

// Nothing if the bytes are no instruction.
std::optional<AccessInstruction> decode_access(std::span<const std::byte> code, std::uint64_t address);

// The instruction whose access a watchpoint reported at `ip` (virtual address in the file, behind the access; of a rep
// string instruction the instruction itself). Decoded from the start of the function: a symbol, else .eh_frame_hdr, so
// that it works on stripped binaries. kSymbolNotFound: no function holds ip, or no instruction ends there.
Result<AccessInstruction> access_before(const ElfFile& file, std::uint64_t ip);

// Start of the function that holds `address`, by symbol or .eh_frame_hdr; nothing: neither knows it.
std::optional<std::uint64_t> function_start(const ElfFile& file, std::uint64_t address);

}  // namespace raceguard::symbols
