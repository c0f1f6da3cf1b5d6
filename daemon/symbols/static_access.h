// SPDX-License-Identifier: Apache-2.0
// The global variables that the code of a binary touches by their address: what is left to find them by in a stripped
// binary.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/variable.h"

namespace raceguard::symbols {

// How many instructions access one place, by what they do. A place that is accessed with several widths has an entry
// for each.
struct StaticAccess {
  std::uint64_t address = 0;  // virtual address in the file
  std::uint8_t width_bytes = 0;
  std::uint32_t reads = 0;
  std::uint32_t writes = 0;
  std::uint32_t updates = 0;  // one instruction reads and writes; the atomic ones too
  std::uint32_t atomic = 0;   // of all these, those with a lock prefix, and xchg

  [[nodiscard]] bool is_written() const { return writes + updates != 0; }
};

// Of every instruction in .text (without section headers: in the executable segments) that reads or writes an address
// relative to rip, or an absolute one, in memory that stays writable (see writable_memory.h); by address and width.
// Not: what is reached through a register (heap, arrays by index, an address that `lea` gave away) or through the
// global offset table, and targets of jumps and calls. Decoded from each function's start in .eh_frame_hdr to the next
// one's; without such a table from the section's start on. Costs 0.1 s for 10 MB of code.
std::vector<StaticAccess> static_accesses(const ElfFile& file);

// The places that the code writes and that `index` has no variable for: ".bss+0x18", kAtomic if some instruction there
// is locked, else kUnknown; with the greatest width that an instruction has. By address.
std::vector<Variable> unnamed_variables(const std::vector<StaticAccess>& accesses, const VariableIndex& index,
                                        const ElfFile& file);

}  // namespace raceguard::symbols
