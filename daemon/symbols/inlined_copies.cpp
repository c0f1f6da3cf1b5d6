// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/inlined_copies.h"

#include <dwarf.h>

#include <algorithm>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/dwarf_file.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/name_match.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMostNames = 4;
constexpr std::size_t kMostEntries = 16U << 20U;
constexpr std::size_t kMostDepth = 64;

// The mangled name, or else the plain one, also of the function that an inlined copy refers to.
std::string name_of(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned wanted : {unsigned{DW_AT_linkage_name}, unsigned{DW_AT_name}}) {
    if (const char* name = dwarf_formstring(dwarf_attr_integrate(&die, wanted, &attribute)); name != nullptr) {
      return name;
    }
  }
  return {};
}

class Search {
 public:
  Search(const std::string& name, InlinedCopies& found) : matches_(name), found_(found) {}

  void look(Dwarf_Die& parent, const std::string& function, std::size_t depth) {
    Dwarf_Die die;
    if (depth >= kMostDepth || dwarf_child(&parent, &die) != 0) {
      return;
    }
    do {
      if (++visited_ > kMostEntries) {
        return;
      }
      const int tag = dwarf_tag(&die);
      if (tag == DW_TAG_inlined_subroutine && !function.empty() && matches_(name_of(die))) {
        add(function);
      }
      const bool is_code = dwarf_hasattr(&die, DW_AT_low_pc) != 0 || dwarf_hasattr(&die, DW_AT_ranges) != 0;
      if (tag == DW_TAG_subprogram && is_code) {
        look(die, name_of(die), depth + 1);
      } else if (tag == DW_TAG_namespace || (!function.empty() && dwarf_haschildren(&die) != 0)) {
        look(die, function, depth + 1);
      }
    } while (dwarf_siblingof(&die, &die) == 0);
  }

 private:
  void add(const std::string& function) {
    ++found_.count;
    const std::string readable = demangle(function);
    const bool known = std::ranges::find(found_.into, readable) != found_.into.end();
    if (!known && found_.into.size() < kMostNames) {
      found_.into.push_back(readable);
    }
  }

  NameMatch matches_;
  InlinedCopies& found_;
  std::size_t visited_ = 0;
};

}  // namespace

InlinedCopies inlined_copies(const ElfFile& file, const std::string& name, std::uint64_t max_debug_bytes) {
  InlinedCopies found;
  const DwarfFile dwarf = DwarfFile::open(file, ".debug_info", max_debug_bytes);
  if (dwarf.get() == nullptr) {
    return found;
  }
  Search search(name, found);
  Dwarf_CU* unit = nullptr;
  Dwarf_Die die;
  while (dwarf_get_units(dwarf.get(), unit, &unit, nullptr, nullptr, &die, nullptr) == 0) {
    search.look(die, {}, 0);
  }
  return found;
}

}  // namespace raceguard::symbols
