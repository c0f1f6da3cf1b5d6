// SPDX-License-Identifier: Apache-2.0
// Variables, types and functions by what a user writes.
#pragma once

#include <elfutils/libdw.h>

#include <string>
#include <vector>

#include "daemon/symbols/dwarf_type.h"
#include "daemon/symbols/variable_path.h"
#include "daemon/symbols/variable_scan.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

// The variable that `path` begins with. `why_no_types` is told where nothing is found (empty: there are types).
Result<const FoundVariable*> look_up(const ElfFile& file, const std::vector<FoundVariable>& found,
                                     const VariablePath& path, const std::string& why_no_types);

Result<Dwarf_Die> find_type(const TypeIndex& types, const std::string& name, const std::string& why_no_types);

// See VariableIndex::pointee_of_argument.
std::string pointee_type(Dwarf* dwarf, const TypeReader& reader, const std::string& function, std::size_t index);

}  // namespace raceguard::symbols
