// SPDX-License-Identifier: Apache-2.0
// Functions and data objects of one or more ELF symbol tables, 16 bytes each, sorted by address. Names stay in the file
// and are read when asked for: 60,000 symbols cost 1 MB, not the 10 MB of their strings.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/symbols/byte_source.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {

struct TableEntry {
  std::uint64_t address : 48;
  std::uint64_t rank : 8;    // 0 is the name to show first: global, then weak, then local
  std::uint64_t source : 8;  // index of the string table
  std::uint32_t size = 0;    // saturates at 4 GiB
  std::uint32_t name = 0;    // offset in the string table
};
static_assert(sizeof(TableEntry) == 16);

enum class SymbolClass : std::uint8_t { kFunction, kObject };

class SymbolTable {
 public:
  explicit SymbolTable(SymbolClass wanted) : wanted_(wanted) {}

  // Adds what the section `table_name` (".symtab", ".dynsym") of `source` defines; returns how many. `source` must
  // outlive the table and stay where it is.
  std::size_t add(const ByteSource& source, const ElfLayout& layout, std::string_view table_name);
  // Sorts; call once, after the last add().
  void finish();

  [[nodiscard]] std::string name_of(const TableEntry& entry) const;
  // The symbol whose bytes hold `address`. One of unknown size holds what follows up to the next symbol, 64 KiB at
  // most.
  [[nodiscard]] std::optional<TableEntry> at(std::uint64_t address) const;
  // The lowest address of a symbol behind `address`; 0: none.
  [[nodiscard]] std::uint64_t next_address(std::uint64_t address) const;
  // Calls `visit` with every entry and its name without version, reading each string table once.
  void for_each(const std::function<void(const TableEntry&, std::string_view)>& visit) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Strings {
    const ByteSource* source;
    std::uint64_t offset;
    std::uint64_t size;
  };

  SymbolClass wanted_;
  std::vector<TableEntry> entries_;
  std::vector<Strings> strings_;
};

// "memcpy@@GLIBC_2.14" -> "memcpy"
std::string_view without_version(std::string_view name);

}  // namespace raceguard::symbols
