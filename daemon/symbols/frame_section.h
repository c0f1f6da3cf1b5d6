// SPDX-License-Identifier: Apache-2.0
// The entries of .eh_frame, one after the other. Format: see frame_table.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace raceguard::symbols {

class ByteSource;
class ElfLayout;

struct FunctionRange {
  std::uint64_t start = 0;  // virtual addresses in the file
  std::uint64_t end = 0;    // behind the last byte
};

// How the entries that refer to a common entry write addresses (DW_EH_PE_*: the low half is the size, the high half
// what the value is relative to), by its augmentation; nothing if that says nothing.
std::optional<std::uint8_t> address_encoding(const ByteSource& source, std::uint64_t common_offset);
// 4 or 8 bytes; 0: of no fixed size.
std::size_t encoded_size(std::uint8_t encoding);

// By start; empty: no section of that name, or more than 64 MiB of it.
std::vector<FunctionRange> read_frame_section(const ByteSource& source, const ElfLayout& layout);

}  // namespace raceguard::symbols
