// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/function_parts.h"

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/symbol_table.h"

namespace raceguard::symbols {

std::vector<CodeRange> function_parts(const ElfFile& file, const Symbol& function) {
  std::vector<CodeRange> parts = {{function.address, file.function_end(function)}};
  for (const Symbol& part : file.find_named(function.name + ".cold", SymbolClass::kFunction)) {
    parts.push_back({part.address, file.function_end(part)});
  }
  return parts;
}

}  // namespace raceguard::symbols
