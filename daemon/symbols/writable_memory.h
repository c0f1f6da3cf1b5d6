// SPDX-License-Identifier: Apache-2.0
// Which addresses of a binary a running program can write.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace raceguard::symbols {

class ElfFile;

class WritableMemory {
 public:
  explicit WritableMemory(const ElfFile& file);

  [[nodiscard]] bool is_mapped(std::uint64_t address) const;
  // In a writable segment, and not among what the loader makes read-only before main (relro: .got, .data.rel.ro).
  [[nodiscard]] bool is_writable(std::uint64_t address) const;
  // ".bss+0x18"; "data+0x..." from the segment's start where section headers are missing.
  [[nodiscard]] std::string describe(std::uint64_t address) const;

 private:
  struct Range {
    std::uint64_t start = 0, end = 0;
    [[nodiscard]] bool holds(std::uint64_t address) const { return address >= start && address < end; }
  };
  struct NamedRange {
    Range range;
    std::string name;
  };
  static bool any_holds(const std::vector<Range>& ranges, std::uint64_t address);

  std::vector<Range> mapped_;
  std::vector<Range> writable_;
  std::vector<Range> read_only_after_start_;
  std::vector<NamedRange> sections_;
};

}  // namespace raceguard::symbols
