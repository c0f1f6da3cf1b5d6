// SPDX-License-Identifier: Apache-2.0
// Addresses of many processes made readable, from a bounded cache of binaries. One thread at a time.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

// A return address is the instruction behind a call; the call's own line is that of the byte before.
enum class AddressKind { kExact, kReturnAddress };

struct ResolverLimits {
  std::size_t files = 32;                  // open at once, the least recently used goes first
  std::size_t sites_per_file = 4096;       // remembered answers
  std::uint64_t dwarf_bytes = 12U << 20U;  // of debug sections in memory, over all files
};

class Resolver {
 public:
  explicit Resolver(ResolverLimits limits = {});
  Resolver(Resolver&&) noexcept;
  Resolver& operator=(Resolver&&) noexcept;
  ~Resolver();

  // The binary at `host_path`; files are told apart by device, inode and time of change, so that all processes of one
  // image share an entry and a replaced file gets a new one. If the path is gone (its process ended), the entry that
  // was last opened through it. The pointer is good while it is held.
  [[nodiscard]] Result<std::shared_ptr<const ElfFile>> file(const std::string& host_path);

  // Never fails: what cannot be told stays empty. `shown_path` is what the site says as its binary.
  [[nodiscard]] CodeSite resolve(const std::string& host_path, std::uint64_t address, AddressKind kind,
                                 const std::string& shown_path);
  // The same for an offset in the file: run-time address - mapping's start + mapping's file offset.
  [[nodiscard]] CodeSite resolve_offset(const std::string& host_path, std::uint64_t file_offset, AddressKind kind,
                                        const std::string& shown_path);
  // "inventory_lock", "config+0x18"; empty: unknown.
  [[nodiscard]] std::string name_data(const std::string& host_path, std::uint64_t address);

  [[nodiscard]] std::size_t open_files() const;
  [[nodiscard]] std::uint64_t dwarf_bytes() const;

 private:
  struct Entry;
  Entry* find_entry(const std::string& host_path, Error* error);
  void make_room_for_dwarf(Entry& wanted);
  CodeSite resolve_in(Entry& entry, std::uint64_t address, AddressKind kind);

  ResolverLimits limits_;
  std::list<std::unique_ptr<Entry>> entries_;  // most recently used first
};

}  // namespace raceguard::symbols
