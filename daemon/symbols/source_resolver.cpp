// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/source_resolver.h"

#include <dwarf.h>
#include <elfutils/libdw.h>

#include <cstdlib>
#include <string_view>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/dwarf_file.h"
#include "daemon/symbols/elf_file.h"

namespace raceguard::symbols {
namespace {

constexpr std::string_view kLineSection = ".debug_line";

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

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
  std::optional<DwarfFile> dwarf;  // opened on the first question
};

SourceResolver::SourceResolver(const ElfFile& file, std::uint64_t max_debug_bytes)
    : impl_(new Impl{.file = &file, .limit = max_debug_bytes, .dwarf = std::nullopt}) {}
SourceResolver::SourceResolver(SourceResolver&&) noexcept = default;
SourceResolver& SourceResolver::operator=(SourceResolver&&) noexcept = default;
SourceResolver::~SourceResolver() = default;

std::uint64_t SourceResolver::debug_bytes() const { return impl_->dwarf ? impl_->dwarf->bytes() : 0; }

std::uint64_t SourceResolver::wanted_bytes() {
  const ByteSource* source = DwarfFile::find_source(*impl_->file, kLineSection);
  return source != nullptr ? DwarfFile::debug_bytes(*source) : 0;
}

SourcePlace SourceResolver::find(std::uint64_t address) {
  if (!impl_->dwarf) {
    impl_->dwarf = DwarfFile::open(*impl_->file, kLineSection, impl_->limit);
  }
  Dwarf_Die unit;
  if (impl_->dwarf->get() != nullptr && find_unit(impl_->dwarf->get(), address, &unit)) {
    return place_in(&unit, address);
  }
  return {};
}

}  // namespace raceguard::symbols
