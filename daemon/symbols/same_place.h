// SPDX-License-Identifier: Apache-2.0
// Which other instructions of a function touch what one of them touches.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

class ElfFile;

// `offsets` (of instructions, from the function's entry), and those of its instructions that access the same global
// address, or the same distance from whatever a register points at that is not the stack: rather too many. Not what is
// reached by another way (an index, a copy of the pointer that was moved on). Ascending.
[[nodiscard]] std::vector<std::uint64_t> with_same_place(const ElfFile& file, const Symbol& function,
                                                         std::vector<std::uint64_t> offsets);

}  // namespace raceguard::symbols
