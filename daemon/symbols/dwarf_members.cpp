// SPDX-License-Identifier: Apache-2.0
// The members of a structure: where each stands.
#include <dwarf.h>

#include "daemon/symbols/dwarf_type.h"
#include "daemon/symbols/dwarf_walk.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMaxMembers = 65536;

std::optional<std::uint64_t> number(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  return dwarf_formudata(dwarf_attr(&die, name, &attribute), &value) == 0 ? std::optional<std::uint64_t>(value)
                                                                          : std::nullopt;
}

// A number, or, from compilers of DWARF 2, the expression "plus N". Nothing for a virtual base, which has no fixed
// place.
std::optional<std::uint64_t> member_offset(Dwarf_Die& die) {
  if (dwarf_hasattr(&die, DW_AT_data_member_location) == 0) {
    return 0;  // a union's
  }
  if (const auto value = number(die, DW_AT_data_member_location)) {
    return value;
  }
  Dwarf_Attribute attribute;
  Dwarf_Op* operations = nullptr;
  std::size_t count = 0;
  if (dwarf_getlocation(dwarf_attr(&die, DW_AT_data_member_location, &attribute), &operations, &count) != 0 ||
      count != 1 || operations[0].atom != DW_OP_plus_uconst) {
    return std::nullopt;
  }
  return operations[0].number;
}

// A bit-field's first bit, counted from the start of the structure. DWARF 4 and later say so; before, the place was
// counted from the most significant bit of a storage unit.
std::optional<std::uint64_t> first_bit(Dwarf_Die& die, std::uint64_t bits, std::uint64_t storage_bytes) {
  if (const auto first = number(die, DW_AT_data_bit_offset)) {
    return first;
  }
  const auto offset = member_offset(die);
  const auto from_top = number(die, DW_AT_bit_offset);
  const std::uint64_t storage = number(die, DW_AT_byte_size).value_or(storage_bytes);
  if (!offset || !from_top || *from_top + bits > storage * 8 || *offset > UINT64_MAX / 8) {
    return std::nullopt;
  }
  return *offset * 8 + storage * 8 - *from_top - bits;
}

}  // namespace

std::vector<Member> TypeReader::members(const Type& type) const {
  std::vector<Member> result;
  Dwarf_Die parent = type.die;
  Dwarf_Die die;
  if (dwarf_child(&parent, &die) != 0) {
    return result;
  }
  do {
    const int tag = dwarf_tag(&die);
    const bool is_part = tag == DW_TAG_inheritance || tag == DW_TAG_member;
    if (!is_part || dwarf_hasattr(&die, DW_AT_declaration) != 0 || dwarf_hasattr(&die, DW_AT_external) != 0 ||
        (tag == DW_TAG_member && dwarf_hasattr(&die, DW_AT_artificial) != 0)) {
      continue;  // static members are variables; the pointer to the virtual functions is no one's data
    }
    Member member{.name = tag == DW_TAG_member ? own_name(die) : "", .offset = 0, .bit_field_bytes = 0, .die = die};
    const auto bits = number(die, DW_AT_bit_size);
    if (bits && *bits != 0 && *bits <= 64) {
      const auto first = first_bit(die, *bits, size_of(type_of(die)));
      if (!first || member.name.empty()) {
        continue;
      }
      member.offset = *first / 8;
      member.bit_field_bytes = (*first + *bits - 1) / 8 - member.offset + 1;
    } else if (const auto offset = member_offset(die)) {
      member.offset = *offset;
    } else {
      continue;
    }
    result.push_back(std::move(member));
  } while (result.size() < kMaxMembers && dwarf_siblingof(&die, &die) == 0);
  return result;
}

}  // namespace raceguard::symbols
