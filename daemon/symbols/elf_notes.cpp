// SPDX-License-Identifier: Apache-2.0
// What the notes of an ELF file tell: its build-id, and whether it is Go's.
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxNoteBytes = 1U << 20U;
constexpr std::uint32_t kGoBuildIdNote = 4;  // cmd/internal/buildid: elfGoBuildIDTag

std::size_t padded(std::size_t size) { return (size + 3) & ~std::size_t{3}; }

// Notes by segment, which a stripped program still has, and by section, which a debug file has.
void for_each_note_of_file(const ByteSource& source, const ElfLayout& layout,
                           const std::function<void(const Note&)>& visit) {
  const auto visit_range = [&](std::uint64_t offset, std::uint64_t size) {
    if (const auto bytes = source.read(offset, std::min(size, kMaxNoteBytes))) {
      for_each_note(*bytes, visit);
    }
  };
  for (const Segment& segment : layout.segments()) {
    if (segment.type == PT_NOTE) {
      visit_range(segment.offset, segment.file_size);
    }
  }
  for (const Section& section : layout.sections()) {
    if (section.type == SHT_NOTE && section.name != ".note.stapsdt") {
      visit_range(section.offset, section.size);
    }
  }
}

}  // namespace

void for_each_note(std::span<const std::byte> bytes, const std::function<void(const Note&)>& visit) {
  while (bytes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    bytes = bytes.subspan(sizeof header);
    const std::size_t name_size = padded(header.n_namesz);
    if (name_size > bytes.size() || header.n_descsz > bytes.size() - name_size) {
      return;
    }
    const auto* name = reinterpret_cast<const char*>(bytes.data());
    visit({.owner = std::string_view(name, strnlen(name, header.n_namesz)),
           .type = header.n_type,
           .description = bytes.subspan(name_size, header.n_descsz)});
    bytes = bytes.subspan(std::min(bytes.size(), name_size + padded(header.n_descsz)));
  }
}

std::string read_build_id(const ByteSource& source, const ElfLayout& layout) {
  std::string id;
  for_each_note_of_file(source, layout, [&id](const Note& note) {
    // 64 bytes are more than any hash in use; what is longer is hostile and ends up in a path.
    if (id.empty() && note.owner == "GNU" && note.type == NT_GNU_BUILD_ID && note.description.size() <= 64) {
      for (const std::byte value : note.description) {
        id += fmt::format("{:02x}", std::to_integer<unsigned>(value));
      }
    }
  });
  return id;
}

bool is_go_program(const ByteSource& source, const ElfLayout& layout) {
  for (const std::string_view name : {".go.buildinfo", ".note.go.buildid", ".gopclntab", ".data.rel.ro.gopclntab"}) {
    if (layout.section(name) != nullptr) {
      return true;
    }
  }
  bool found = false;
  for_each_note_of_file(source, layout, [&found](const Note& note) {
    found = found || (note.owner == "Go" && note.type == kGoBuildIdNote);
  });
  return found;
}

}  // namespace raceguard::symbols
