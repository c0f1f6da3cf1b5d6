// SPDX-License-Identifier: Apache-2.0
// The instructions around a place that run one after the other.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/symbols/zydis_decoder.h"

namespace raceguard::symbols {

class ElfFile;

struct PlacedInstruction {
  std::uint64_t address = 0;
  DecodedInstruction decoded;
};

// From behind the last jump, call or branch target before `address` up to the next one after it, at most `reach`
// instructions to either side. Conditional branches are passed over as not taken. Empty: `address` is no instruction of
// a known function.
std::vector<PlacedInstruction> straight_code(const ElfFile& file, std::uint64_t address, std::size_t reach);

}  // namespace raceguard::symbols
