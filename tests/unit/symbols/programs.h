// SPDX-License-Identifier: Apache-2.0
// The programs that the tests of this folder look at, and a scratch directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/symbol_table.h"

namespace raceguard::symbols {

inline std::string program_path(const std::string& name) { return std::string(RG_SYMBOL_PROGRAMS) + "/" + name; }

// Throws (so the test fails with the text) where the program cannot be opened or has not exactly one such function.
ElfFile open_program(const std::string& name);
Symbol only_function(const ElfFile& file, const std::string& glob);

struct SelfMapping {
  std::uint64_t start = 0;
  std::uint64_t file_offset = 0;
};
// The executable mappings of the test program itself.
std::vector<SelfMapping> executable_mappings_of_self();

class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Runs a program without a shell and throws unless it exits with 0.
void run(const std::vector<std::string>& command);

}  // namespace raceguard::symbols
