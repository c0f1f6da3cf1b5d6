// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/elf_layout.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace raceguard::symbols {
namespace {

constexpr std::uint64_t kMaxHeaders = 65536;  // no real program comes near; a hostile one is cut off

tl::unexpected<Error> not_elf(const ByteSource& source, std::string_view why) {
  return fail(ErrorCode::kSymbolNotElf, fmt::format("cannot use {} as an x86-64 ELF file: {}", source.path(), why),
              "raceguard probes 64-bit x86 programs only; for a script name its interpreter's binary.");
}

Result<Elf64_Ehdr> read_header(const ByteSource& source) {
  const auto header = source.read_struct<Elf64_Ehdr>(0);
  if (!header) {
    return not_elf(source, fmt::format("its {} bytes are too few for an ELF header", source.size()));
  }
  if (std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return not_elf(source, "it does not start with the ELF magic");
  }
  if (header->e_ident[EI_CLASS] != ELFCLASS64) {
    return not_elf(source, "it is a 32-bit program");
  }
  if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_X86_64) {
    return not_elf(source, fmt::format("it is for another machine (e_machine {})", header->e_machine));
  }
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
    return not_elf(source, fmt::format("it is neither a program nor a shared library (e_type {})", header->e_type));
  }
  return *header;
}

template <typename T>
std::vector<T> read_table(const ByteSource& source, std::uint64_t offset, std::uint64_t count) {
  count = std::min(count, kMaxHeaders);
  std::vector<T> table;
  if (const auto bytes = source.read(offset, count * sizeof(T)); bytes && count > 0) {
    table.resize(count);
    std::memcpy(table.data(), bytes->data(), bytes->size());
  }
  return table;
}

std::vector<Segment> read_segments(const ByteSource& source, const Elf64_Ehdr& header) {
  std::vector<Segment> segments;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return segments;
  }
  for (const Elf64_Phdr& entry : read_table<Elf64_Phdr>(source, header.e_phoff, header.e_phnum)) {
    segments.push_back({.address = entry.p_vaddr,
                        .offset = entry.p_offset,
                        .file_size = std::min(entry.p_filesz, entry.p_memsz),
                        .memory_size = entry.p_memsz,
                        .type = entry.p_type,
                        .executable = (entry.p_flags & PF_X) != 0,
                        .writable = (entry.p_flags & PF_W) != 0});
  }
  return segments;
}

std::vector<Section> read_sections(const ByteSource& source, const Elf64_Ehdr& header) {
  std::vector<Section> sections;
  const auto first = source.read_struct<Elf64_Shdr>(header.e_shoff);
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || !first) {
    return sections;  // section headers are optional: a program runs without
  }
  const std::uint64_t count = header.e_shnum != 0 ? header.e_shnum : first->sh_size;
  const std::uint64_t names = header.e_shstrndx != SHN_XINDEX ? header.e_shstrndx : first->sh_link;
  const auto table = read_table<Elf64_Shdr>(source, header.e_shoff, count);
  sections.reserve(table.size());
  for (const Elf64_Shdr& entry : table) {
    Section section{.name = {},
                    .type = entry.sh_type,
                    .link = entry.sh_link,
                    .flags = entry.sh_flags,
                    .address = entry.sh_addr,
                    .offset = entry.sh_offset,
                    .size = entry.sh_size};
    if (names < table.size() && entry.sh_name < table[names].sh_size) {
      section.name = source.read_string(table[names].sh_offset + entry.sh_name, 256);
    }
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace

Result<ElfLayout> ElfLayout::parse(const ByteSource& source) {
  const auto header = read_header(source);
  if (!header) {
    return tl::unexpected(header.error());
  }
  ElfLayout layout;
  layout.segments_ = read_segments(source, *header);
  layout.sections_ = read_sections(source, *header);
  if (layout.segments_.empty() && layout.sections_.empty()) {
    return not_elf(source,
                   "its program and section headers are missing or lie beyond the end of the file (truncated?)");
  }
  return layout;
}

const Section* ElfLayout::section(std::string_view name) const {
  const auto found = std::ranges::find(sections_, name, &Section::name);
  return found == sections_.end() ? nullptr : &*found;
}

const Section* ElfLayout::section(std::size_t index) const {
  return index < sections_.size() ? &sections_[index] : nullptr;
}

std::optional<std::uint64_t> ElfLayout::offset_of(std::uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.type == PT_LOAD && address >= segment.address && address - segment.address < segment.file_size) {
      return segment.offset + (address - segment.address);
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ElfLayout::address_of(std::uint64_t offset) const {
  for (const Segment& segment : segments_) {
    if (segment.type == PT_LOAD && offset >= segment.offset && offset - segment.offset < segment.file_size) {
      return segment.address + (offset - segment.offset);
    }
  }
  return std::nullopt;
}

std::uint64_t ElfLayout::code_end(std::uint64_t address) const {
  for (const Segment& segment : segments_) {
    if (segment.type == PT_LOAD && segment.executable && address >= segment.address &&
        address - segment.address < segment.file_size) {
      return segment.address + segment.file_size;
    }
  }
  return 0;
}

bool ElfLayout::executable(std::uint64_t address) const { return code_end(address) != 0; }

}  // namespace raceguard::symbols
