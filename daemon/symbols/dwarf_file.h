// SPDX-License-Identifier: Apache-2.0
// Opens the DWARF of a binary, or of its debug file, for libdw. Debug sections are read into memory and never mapped
// (see byte_source.h), so their size has a limit.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/symbols/byte_source.h"

namespace raceguard::symbols {

class ElfFile;

class DwarfFile {
 public:
  // Where the section (".debug_line", ".debug_info") is: `file` itself or its debug file; null: nowhere.
  static const ByteSource* find_source(const ElfFile& file, std::string_view section);
  // What open() would read, compressed sections counted as unpacked.
  static std::uint64_t debug_bytes(const ByteSource& source);

  // Closed if there is no such section, or more than `limit` bytes, or if the file shares DWARF with another one (dwz)
  // that is not to be found below the root of `file`: why_not() says so. `file` must outlive it.
  static DwarfFile open(const ElfFile& file, std::string_view section, std::uint64_t limit);

  [[nodiscard]] Dwarf* get() const { return dwarf_.get(); }  // null: closed
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& why_not() const { return why_not_; }

 private:
  struct ElfCloser {
    void operator()(Elf* elf) const { elf_end(elf); }
  };
  struct DwarfCloser {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
  };
  // In the order of their making: a Dwarf reads through its Elf, the first Dwarf through the shared one.
  struct Handle {
    std::unique_ptr<Elf, ElfCloser> elf;
    std::unique_ptr<Dwarf, DwarfCloser> dwarf;
  };
  static Handle open_handle(const ByteSource& source);
  bool open_shared(const ElfFile& file, const ByteSource& source, std::uint64_t limit);

  std::unique_ptr<ByteSource> shared_source_;
  Handle shared_;
  std::unique_ptr<Elf, ElfCloser> elf_;
  std::unique_ptr<Dwarf, DwarfCloser> dwarf_;
  std::uint64_t bytes_ = 0;
  std::string why_not_;
};

}  // namespace raceguard::symbols
