// SPDX-License-Identifier: Apache-2.0
// All variables of a binary with a fixed address, from its DWARF and from its symbol tables.
#pragma once

#include <elfutils/libdw.h>

#include <vector>

#include "daemon/symbols/variable.h"

namespace raceguard::symbols {

class TypeIndex;
class TypeReader;
class VariableLayout;

struct FoundVariable {
  Variable variable;  // without `declared`; a thread-local's address is 0
  Dwarf_Die die{};    // addr is null: from the symbol table
};

struct DwarfScan {
  std::vector<FoundVariable> found;  // by address
  bool all_split = false;            // every unit's entries are in a .dwo file
};

// Fills `types`, which `reader` and `layout` look into.
DwarfScan scan_dwarf(const ElfFile& file, Dwarf* dwarf, TypeIndex& types, const VariableLayout& layout,
                     const TypeReader& reader);

// Adds the data objects of the symbol tables that stand where `found` has nothing; keeps the order.
void add_symbols(const ElfFile& file, std::vector<FoundVariable>& found);

// The one that holds the address; null: none.
const FoundVariable* holder_of(const std::vector<FoundVariable>& found, std::uint64_t address);

}  // namespace raceguard::symbols
