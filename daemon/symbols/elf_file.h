// SPDX-License-Identifier: Apache-2.0
// One binary: its code, its functions and its data objects, from its own symbol tables and from a separate debug file.
// Opening reads headers only; a symbol table is read when it is first asked for. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/symbols/byte_source.h"
#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfLayout;
struct FunctionRange;
enum class SymbolClass : std::uint8_t;

class ElfFile {
 public:
  // `path` as the daemon opens it, "/proc/812/root/usr/sbin/mariadbd" for a target's; debug files are looked up below
  // `root`, by default the one that `path` names. Errors: kSymbolFileUnreadable, kSymbolNotElf.
  static Result<ElfFile> open(const std::string& path, std::string root = {});

  ElfFile(ElfFile&&) noexcept;
  ElfFile& operator=(ElfFile&&) noexcept;
  ~ElfFile();

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const std::string& root() const;
  [[nodiscard]] const std::string& build_id() const;  // hex; empty: none
  [[nodiscard]] std::uint64_t device() const;
  [[nodiscard]] std::uint64_t inode() const;
  [[nodiscard]] bool is_go() const;
  // The path of the separate debug file; empty: there is none.
  [[nodiscard]] std::string debug_file() const;

  // Virtual addresses of the file and offsets in it. An address in .bss has no offset.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;
  // What a process added to the file's addresses, from one line of /proc/PID/maps: run-time address - bias = address.
  [[nodiscard]] std::optional<std::uint64_t> load_bias(std::uint64_t map_start, std::uint64_t map_file_offset) const;

  // The functions whose mangled or demangled name matches (name_match.h), one for each address, by address. Never
  // empty: kSymbolNotFound says where was searched, and suggests. Undefined, IFUNC and ".cold" symbols do not count.
  [[nodiscard]] Result<std::vector<Symbol>> find_functions(const std::string& glob) const;
  // The function or the data object (global variable) that holds `address`.
  [[nodiscard]] std::optional<Symbol> function_at(std::uint64_t address) const;
  [[nodiscard]] std::optional<Symbol> object_at(std::uint64_t address) const;
  // The functions or data objects whose mangled name starts with `prefix`; empty: none.
  [[nodiscard]] std::vector<Symbol> find_named(std::string_view prefix, SymbolClass wanted) const;
  // "config+0x18"; empty: no symbol holds the address.
  [[nodiscard]] std::string name_data(std::uint64_t address) const;

  // Up to `size` bytes of code from `address`, fewer at the end of its segment; empty if it is not code.
  [[nodiscard]] Bytes read_code(std::uint64_t address, std::uint64_t size) const;
  // Where the function's bytes end: by its size, or else by the next symbol, 4 KiB on at most.
  [[nodiscard]] std::uint64_t function_end(const Symbol& function) const;

  // The entries of .eh_frame by address, read on first use; frame_table.h finds functions faster where it can.
  [[nodiscard]] const std::vector<FunctionRange>& frame_section() const;

  [[nodiscard]] const ByteSource& source() const;
  [[nodiscard]] const ElfLayout& layout() const;
  // The separate debug file, opened on first use; null: there is none.
  [[nodiscard]] const ByteSource* debug_source() const;

 private:
  struct Impl;
  explicit ElfFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::symbols
