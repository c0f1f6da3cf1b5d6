// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/source_resolver.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>

#include <cstdlib>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/elf_layout.h"

namespace raceguard::symbols {
namespace {

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct DwarfCloser {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};
struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

std::uint64_t debug_section_bytes(const ByteSource& source, const ElfLayout& layout) {
  std::uint64_t total = 0;
  for (const Section& section : layout.sections()) {
    if (!section.name.starts_with(".debug_") || section.type == SHT_NOBITS) {
      continue;
    }
    std::uint64_t size = section.size;
    if ((section.flags & SHF_COMPRESSED) != 0) {
      const auto header = source.read_struct<Elf64_Chdr>(section.offset);
      size += header ? header->ch_size : 0;
    }
    if (size > UINT64_MAX - total) {
      return UINT64_MAX;  // a hostile header
    }
    total += size;
  }
  return total;
}

bool has_lines(const ByteSource& source) {
  const auto layout = ElfLayout::parse(source);
  const Section* lines = layout ? layout->section(".debug_line") : nullptr;
  return lines != nullptr && lines->type != SHT_NOBITS;
}

// The compilation unit of an address: by .debug_aranges, which gcc writes, or, as clang does not, by asking each unit.
bool find_unit(Dwarf* dwarf, std::uint64_t address, Dwarf_Die* unit) {
  if (dwarf_addrdie(dwarf, address, unit) != nullptr) {
    return true;
  }
  Dwarf_CU* cu = nullptr;
  std::uint8_t type = 0;
  while (dwarf_get_units(dwarf, cu, &cu, nullptr, &type, unit, nullptr) == 0) {
    if (type == DW_UT_compile && dwarf_haspc(unit, address) == 1) {
      return true;
    }
  }
  return false;
}

std::optional<SourceLine> line_in(Dwarf_Die* unit, std::uint64_t address) {
  Dwarf_Line* line = dwarf_getsrc_die(unit, address);
  int number = 0;
  const char* file = line != nullptr ? dwarf_linesrc(line, nullptr, nullptr) : nullptr;
  if (file == nullptr || dwarf_lineno(line, &number) != 0 || number <= 0) {
    return std::nullopt;  // line 0: code that the compiler made of nothing in the source
  }
  return SourceLine{.file = file, .line = static_cast<std::uint32_t>(number)};
}

std::string name_of(Dwarf_Die* die) {
  Dwarf_Attribute attribute;
  for (const unsigned wanted : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_name}}) {
    if (const char* name = dwarf_formstring(dwarf_attr_integrate(die, wanted, &attribute)); name != nullptr) {
      return demangle(name);
    }
  }
  return {};
}

std::optional<SourceLine> call_line(Dwarf_Die* unit, Dwarf_Die* inlined) {
  Dwarf_Attribute attribute;
  Dwarf_Word file_index = 0;
  Dwarf_Word line = 0;
  Dwarf_Files* files = nullptr;
  if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file_index) != 0 ||
      dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) != 0 ||
      dwarf_getsrcfiles(unit, &files, nullptr) != 0) {
    return std::nullopt;
  }
  const char* file = dwarf_filesrc(files, file_index, nullptr, nullptr);
  if (file == nullptr || line == 0) {
    return std::nullopt;
  }
  return SourceLine{.file = file, .line = static_cast<std::uint32_t>(line)};
}

// The line table tells the innermost function's line; each caller outwards stands at the line of its inlined call.
SourcePlace place_in(Dwarf_Die* unit, std::uint64_t address) {
  Dwarf_Die* innermost_raw = nullptr;
  const int found = dwarf_getscopes(unit, address, &innermost_raw);
  const std::unique_ptr<Dwarf_Die, Free> innermost(innermost_raw);
  // Outside an inlined function dwarf_getscopes goes on with where it was written; what it is inlined into is asked for
  // by its DIE.
  Dwarf_Die* scopes_raw = nullptr;
  const int count = found > 0 ? dwarf_getscopes_die(innermost.get(), &scopes_raw) : 0;
  const std::unique_ptr<Dwarf_Die, Free> scopes(scopes_raw);
  SourcePlace place{.line = line_in(unit, address), .inlined = {}};
  for (int i = 0; i < count; ++i) {
    Dwarf_Die* scope = scopes.get() + i;
    if (dwarf_tag(scope) == DW_TAG_subprogram) {
      break;
    }
    if (dwarf_tag(scope) == DW_TAG_inlined_subroutine) {
      place.inlined.push_back({.function = name_of(scope), .source = std::move(place.line)});
      place.line = call_line(unit, scope);
    }
  }
  return place;
}

}  // namespace

struct SourceResolver::Impl {
  const ElfFile* file = nullptr;
  std::uint64_t limit = 0;
  bool tried = false;
  std::uint64_t bytes = 0;
  std::unique_ptr<Elf, ElfCloser> elf;  // libdw reads through it: closed after it
  std::unique_ptr<Dwarf, DwarfCloser> dwarf;

  const ByteSource* find_source() const {
    if (has_lines(file->source())) {
      return &file->source();
    }
    const ByteSource* debug = file->debug_source();
    return debug != nullptr && has_lines(*debug) ? debug : nullptr;
  }

  static std::uint64_t bytes_of(const ByteSource& source) {
    const auto layout = ElfLayout::parse(source);
    return layout ? debug_section_bytes(source, *layout) : 0;
  }

  void open() {
    tried = true;
    const ByteSource* source = find_source();
    const std::uint64_t wanted = source != nullptr ? bytes_of(*source) : 0;
    if (wanted == 0 || wanted > limit) {
      return;
    }
    elf_version(EV_CURRENT);
    // ELF_C_READ and dwarf_begin_elf instead of dwarf_begin, which would map the file.
    elf.reset(elf_begin(source->fd(), ELF_C_READ, nullptr));
    if (elf) {
      dwarf.reset(dwarf_begin_elf(elf.get(), DWARF_C_READ, nullptr));
    }
    bytes = dwarf ? wanted : 0;
  }
};

SourceResolver::SourceResolver(const ElfFile& file, std::uint64_t max_debug_bytes) : impl_(std::make_unique<Impl>()) {
  impl_->file = &file;
  impl_->limit = max_debug_bytes;
}
SourceResolver::SourceResolver(SourceResolver&&) noexcept = default;
SourceResolver& SourceResolver::operator=(SourceResolver&&) noexcept = default;
SourceResolver::~SourceResolver() = default;

std::uint64_t SourceResolver::debug_bytes() const { return impl_->bytes; }

std::uint64_t SourceResolver::wanted_bytes() {
  const ByteSource* source = impl_->find_source();
  return source != nullptr ? Impl::bytes_of(*source) : 0;
}

SourcePlace SourceResolver::find(std::uint64_t address) {
  if (!impl_->tried) {
    impl_->open();
  }
  Dwarf_Die unit;
  if (impl_->dwarf && find_unit(impl_->dwarf.get(), address, &unit)) {
    return place_in(&unit, address);
  }
  return {};
}

}  // namespace raceguard::symbols
