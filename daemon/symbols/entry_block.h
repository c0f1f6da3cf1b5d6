// SPDX-License-Identifier: Apache-2.0
// The instructions that every call of a function passes exactly once, from its entry on.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/symbols/instruction.h"
#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

class ElfFile;

struct EntryBlock {
  // Up to and with the first branch, call or return; ends before an instruction that the function jumps back to.
  std::vector<Instruction> instructions;
  bool entry_is_target = false;  // the function jumps to its own first instruction
};

EntryBlock read_entry_block(const ElfFile& file, const Symbol& function, const KernelTreatment& kernel);

}  // namespace raceguard::symbols
