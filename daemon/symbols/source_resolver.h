// SPDX-License-Identifier: Apache-2.0
// file:line of a code address, and the functions inlined there, by the DWARF of a binary or of its debug file. Opened
// on the first question. Bounded: debug sections are read into memory (never mapped, see byte_source.h), so a binary
// whose sections are larger than the limit is answered as if it had none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

class ElfFile;

struct SourcePlace {
  std::optional<SourceLine> line;    // in the real function: where it calls what is inlined there
  std::vector<InlinedCall> inlined;  // functions inlined at the address, innermost first
};

class SourceResolver {
 public:
  // `file` must outlive the resolver.
  SourceResolver(const ElfFile& file, std::uint64_t max_debug_bytes);
  SourceResolver(SourceResolver&&) noexcept;
  SourceResolver& operator=(SourceResolver&&) noexcept;
  ~SourceResolver();

  [[nodiscard]] SourcePlace find(std::uint64_t address);
  // Bytes of debug sections in memory; 0 before the first question and where there is no DWARF.
  [[nodiscard]] std::uint64_t debug_bytes() const;
  // What there would be to read, compressed sections counted as unpacked.
  [[nodiscard]] std::uint64_t wanted_bytes();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::symbols
