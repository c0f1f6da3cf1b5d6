// SPDX-License-Identifier: Apache-2.0
// The headers of an x86-64 ELF file, checked: segments, sections, notes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/symbols/byte_source.h"

namespace raceguard::symbols {

struct Segment {
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t file_size = 0;
  std::uint64_t memory_size = 0;
  std::uint32_t type = 0;
  bool executable = false;
  bool writable = false;
};

struct Section {
  std::string name;
  std::uint32_t type = 0;
  std::uint32_t link = 0;
  std::uint64_t flags = 0;
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct Note {
  std::string_view owner;  // without its NUL
  std::uint32_t type = 0;
  std::span<const std::byte> description;
};

// Calls `visit` with each well-formed note; stops at the first malformed one.
void for_each_note(std::span<const std::byte> bytes, const std::function<void(const Note&)>& visit);

class ElfLayout {
 public:
  // Fails with kSymbolNotElf for anything but a 64-bit little-endian x86-64 file.
  static Result<ElfLayout> parse(const ByteSource& source);

  [[nodiscard]] const std::vector<Segment>& segments() const { return segments_; }
  [[nodiscard]] const std::vector<Section>& sections() const { return sections_; }
  [[nodiscard]] const Section* section(std::string_view name) const;
  [[nodiscard]] const Section* section(std::size_t index) const;

  // Only the bytes that come from the file: an address in .bss has no offset.
  [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const;
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t offset) const;
  [[nodiscard]] bool executable(std::uint64_t address) const;
  // The end of the executable segment that holds `address`; 0 if none does.
  [[nodiscard]] std::uint64_t code_end(std::uint64_t address) const;

 private:
  std::vector<Segment> segments_;
  std::vector<Section> sections_;
};

// Lower-case hex of the GNU build-id; empty if the file has none.
std::string read_build_id(const ByteSource& source, const ElfLayout& layout);
// Whether the Go toolchain linked the file.
bool is_go_program(const ByteSource& source, const ElfLayout& layout);

}  // namespace raceguard::symbols
