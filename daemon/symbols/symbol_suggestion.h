// SPDX-License-Identifier: Apache-2.0
// What to tell a user whose function was not found.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;
class SymbolTable;

// How many functions each place gave.
struct SearchedTables {
  std::size_t symtab = 0;
  std::size_t dynsym = 0;
  std::size_t debug = 0;
  std::size_t mini_debug = 0;
  std::string debug_file;  // empty: there is none
};

// kSymbolNotFound: where was searched, the nearest names, and the package that may carry the debug file.
Error symbol_not_found(const ElfFile& file, const std::string& glob, const SymbolTable& table,
                       const SearchedTables& searched);

// The names (demangled, without parameters) that are a few letters off `glob`, nearest first; three at most.
std::vector<std::string> nearest_names(const SymbolTable& table, const std::string& glob);

// The same among `names`.
std::vector<std::string> nearest_of(const std::vector<std::string>& names, const std::string& wanted);

// The Debian package that owns `path` (as seen below `root`); empty if none or if it is no Debian root.
std::string owning_package(const std::string& root, const std::string& path);

}  // namespace raceguard::symbols
