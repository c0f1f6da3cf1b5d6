// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/variable_scan.h"

#include <dwarf.h>
#include <elf.h>

#include <algorithm>

#include "daemon/symbols/dwarf_type.h"
#include "daemon/symbols/dwarf_walk.h"
#include "daemon/symbols/elf_layout.h"
#include "daemon/symbols/symbol_table.h"
#include "daemon/symbols/variable_layout.h"
#include "daemon/symbols/writable_memory.h"

namespace raceguard::symbols {
namespace {

struct Location {
  std::uint64_t address = 0;
  bool thread_local_storage = false;
};

// A fixed address is DW_OP_addr or DW_OP_addrx, perhaps with an offset (clang's merged globals). Location lists belong
// to variables on the stack and in registers.
std::optional<Location> fixed_location(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  if (dwarf_attr(&die, DW_AT_location, &attribute) == nullptr || dwarf_whatform(&attribute) == DW_FORM_sec_offset ||
      dwarf_whatform(&attribute) == DW_FORM_loclistx) {
    return std::nullopt;
  }
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(&attribute, &operations, &count) != 0 || count == 0) {
    return std::nullopt;
  }
  Location location;
  for (std::size_t i = 0; i < count; ++i) {
    switch (operations[i].atom) {
      case DW_OP_addr:
        location.address = operations[i].number;
        break;
      case DW_OP_addrx:
      case DW_OP_GNU_addr_index: {
        Dwarf_Attribute indexed;
        Dwarf_Addr address = 0;
        if (dwarf_getlocation_attr(&attribute, &operations[i], &indexed) != 0 ||
            dwarf_formaddr(&indexed, &address) != 0) {
          return std::nullopt;
        }
        location.address = address;
        break;
      }
      case DW_OP_plus_uconst:
        location.address += operations[i].number;
        break;
      case DW_OP_const4u:
      case DW_OP_const8u:
      case DW_OP_constx:
      case DW_OP_GNU_const_index:
        break;  // the offset of a thread-local
      case DW_OP_form_tls_address:
      case DW_OP_GNU_push_tls_address:
        return Location{.address = 0, .thread_local_storage = true};
      default:
        return std::nullopt;
    }
  }
  return location.address != 0 ? std::optional(location) : std::nullopt;
}

void sort_and_merge(std::vector<FoundVariable>& found) {
  // Of two entries of one address (an inline variable, in each unit that uses it; a union by another name) the larger.
  std::ranges::stable_sort(found, [](const FoundVariable& a, const FoundVariable& b) {
    return a.variable.address != b.variable.address ? a.variable.address < b.variable.address
                                                    : a.variable.size > b.variable.size;
  });
  const auto same = std::ranges::unique(found, [](const FoundVariable& a, const FoundVariable& b) {
    return a.variable.address == b.variable.address && (a.variable.address != 0 || a.variable.name == b.variable.name);
  });
  found.erase(same.begin(), same.end());
}

}  // namespace

DwarfScan scan_dwarf(const ElfFile& file, Dwarf* dwarf, TypeIndex& types, const VariableLayout& layout,
                     const TypeReader& reader) {
  const WritableMemory memory(file);
  DwarfScan result;
  std::vector<FoundVariable>& found = result.found;
  const WalkResult walked = walk(dwarf, [&](Dwarf_Die& die, int tag, const std::string& name) {
    if (tag == DW_TAG_variable) {
      const auto location = fixed_location(die);
      if (!location || (!location->thread_local_storage && !memory.is_mapped(location->address))) {
        return;  // also what the linker has dropped: its address is 0 or -1
      }
      FoundVariable one;
      one.variable.name = name;
      one.variable.address = location->address;
      one.variable.kind = location->thread_local_storage ? VariableKind::kThreadLocal : VariableKind::kPlain;
      one.die = die;
      found.push_back(std::move(one));
    } else if (tag != DW_TAG_subprogram) {
      types.add(die, name);
    }
  });
  // Types only now: one that a unit declares may be defined in a later unit.
  for (FoundVariable& one : found) {
    Place place{.path = one.variable.name,
                .type = reader.type_of(one.die),
                .dimensions_passed = 0,
                .address = one.variable.address,
                .bit_field_bytes = 0,
                .declared = {}};
    const VariableKind kind = one.variable.kind;
    const std::uint64_t address = one.variable.address;
    one.variable = layout.describe(place);
    one.variable.address = address;
    if (kind == VariableKind::kThreadLocal) {
      one.variable.kind = kind;
    } else if (!memory.is_writable(address)) {
      one.variable.kind = VariableKind::kConstant;
    }
  }
  sort_and_merge(found);
  result.all_split = walked.units != 0 && walked.split_units == walked.units;
  return result;
}

void add_symbols(const ElfFile& file, std::vector<FoundVariable>& found) {
  const WritableMemory memory(file);
  std::vector<FoundVariable> added;
  for (Symbol& symbol : file.find_named("", SymbolClass::kObject)) {
    if (symbol.size == 0 || !memory.is_writable(symbol.address) || holder_of(found, symbol.address) != nullptr) {
      continue;
    }
    FoundVariable one;
    // The byte that says whether a function's static was made: read by one instruction, set by __cxa_guard_release.
    const bool is_guard = symbol.name.starts_with("_ZGV");
    one.variable.kind = is_guard ? VariableKind::kAtomic : VariableKind::kUnknown;
    one.variable.name = std::move(symbol.demangled);
    one.variable.address = symbol.address;
    one.variable.size = symbol.size;
    added.push_back(std::move(one));
  }
  std::ranges::move(added, std::back_inserter(found));
  sort_and_merge(found);
}

const FoundVariable* holder_of(const std::vector<FoundVariable>& found, std::uint64_t address) {
  const auto start = [](const FoundVariable& one) { return one.variable.address; };
  auto after = std::ranges::upper_bound(found, address, {}, start);
  // Variables do not overlap but for symbols inside of others: few steps back are enough.
  constexpr int kBack = 8;
  for (int step = 0; step < kBack && after != found.begin(); ++step) {
    --after;
    if (after->variable.address != 0 && address - after->variable.address < after->variable.size) {
      return &*after;
    }
  }
  return nullptr;
}

}  // namespace raceguard::symbols
