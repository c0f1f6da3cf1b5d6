// SPDX-License-Identifier: Apache-2.0
// One walk over all units of a DWARF file, which finds where variables, types and functions are and in what scope.
// Hostile input: the depth and the number of entries are limited, so that the walk ends.
#pragma once

#include <elfutils/libdw.h>

#include <cstddef>
#include <functional>
#include <string>

namespace raceguard::symbols {

struct WalkLimits {
  std::size_t depth = 64;
  std::size_t entries = 64U << 20U;  // one takes at least a byte of .debug_info
};

// `name` is qualified: "shop::Inventory", "shop::next_id::counter" for a static of a function, "(anonymous
// namespace)::hidden". Called for DW_TAG_variable, DW_TAG_subprogram and types with a name of their own (structures,
// classes, unions, enumerations, typedefs); declarations included, parents first.
using WalkVisitor = std::function<void(Dwarf_Die& die, int tag, const std::string& name)>;

struct WalkResult {
  std::size_t units = 0;
  std::size_t split_units = 0;  // of these: their entries are in .dwo files, which are not read
};

WalkResult walk(Dwarf* dwarf, const WalkVisitor& visit, const WalkLimits& limits = {});

// DW_AT_name, also of the declaration or the abstract instance that the entry refers to; empty: none.
std::string own_name(Dwarf_Die& die);

}  // namespace raceguard::symbols
