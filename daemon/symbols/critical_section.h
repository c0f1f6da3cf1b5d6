// SPDX-License-Identifier: Apache-2.0
// Does the code between a lock and its unlock write anything that other threads see?
#pragma once

#include <cstdint>
#include <set>
#include <span>

#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {

enum class SectionKind {
  kUnknown,   // it calls a function, jumps through a register, leaves its own function, or is too long
  kReads,     // no store but to the stack
  kReplaces,  // writes, and on each way at most one word of 8 bytes
  kWrites,
};

// From `start` (virtual address in the file, behind the call that took the lock) on every way up to one of `ends`
// (behind the calls that let it go). `passed`: behind calls that are known to write nothing but locks. What is stored
// relative to rsp or rbp is the function's own: so long as a function keeps rbp for other things, a section that writes
// through it is taken for one that reads only (rare: compilers use it last).
[[nodiscard]] SectionKind section_kind(const ElfFile& file, std::uint64_t start, std::span<const std::uint64_t> ends,
                                       const std::set<std::uint64_t>& passed = {});

}  // namespace raceguard::symbols
