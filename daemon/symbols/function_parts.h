// SPDX-License-Identifier: Apache-2.0
// Where a function's code lies.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

class ElfFile;

struct CodeRange {
  std::uint64_t begin = 0;  // virtual addresses in the file
  std::uint64_t end = 0;    // behind the last byte
  [[nodiscard]] bool holds(std::uint64_t address) const { return address >= begin && address < end; }
};

// The function itself, then what the compiler moved out of it (".cold"). A stripped binary does not tell the latter.
std::vector<CodeRange> function_parts(const ElfFile& file, const Symbol& function);

}  // namespace raceguard::symbols
