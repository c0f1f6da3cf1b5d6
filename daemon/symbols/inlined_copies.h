// SPDX-License-Identifier: Apache-2.0
// Copies of a function that a probe on it does not see.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raceguard::symbols {

class ElfFile;

struct InlinedCopies {
  std::size_t count = 0;
  std::vector<std::string> into;  // some of the functions that they are in, at most four
};

// By DWARF, at most `max_debug_bytes` of it: none where there is none. `name` as in the source, with or without scopes.
InlinedCopies inlined_copies(const ElfFile& file, const std::string& name, std::uint64_t max_debug_bytes);

}  // namespace raceguard::symbols
