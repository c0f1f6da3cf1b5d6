// SPDX-License-Identifier: Apache-2.0
// Where functions start and end by .eh_frame_hdr and .eh_frame, which stripping leaves in place: C++ unwinds by them.
// Format: Linux Standard Base 5.0, "Exception Frames" (DWARF 4 section 6.4 with the augmentation "zR").
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/symbols/frame_section.h"

namespace raceguard::symbols {

class ElfFile;

// The entry that holds `address`, by binary search in the file: no table is read into memory. Where the table is
// missing (gcc links static programs without) or not of the form that GNU ld, gold and lld write (sorted, 4 bytes,
// relative to itself), from all entries of .eh_frame, which are then kept with the file. Nothing: no such entry.
std::optional<FunctionRange> frame_range(const ElfFile& file, std::uint64_t address);

// The starts of all entries, ascending; empty: no such table.
std::vector<std::uint64_t> frame_starts(const ElfFile& file);

}  // namespace raceguard::symbols
