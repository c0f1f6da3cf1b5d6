// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/dwarf_walk.h"

#include <dwarf.h>

#include <cstdint>
#include <unordered_map>

#include "daemon/symbols/demangle.h"

namespace raceguard::symbols {
namespace {

enum class Visit { kNeither, kChildren, kSelf, kSelfAndChildren };

Visit visit_of(int tag) {
  switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_module:
    case DW_TAG_lexical_block:
      return Visit::kChildren;
    case DW_TAG_subprogram:
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
      return Visit::kSelfAndChildren;
    case DW_TAG_variable:
    case DW_TAG_enumeration_type:
    case DW_TAG_typedef:
      return Visit::kSelf;
    default:
      // An inlined copy has its statics in the abstract instance.
      return Visit::kNeither;
  }
}

std::string qualified(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "::" + name;
}

// For a reference forwards, as clang writes them for static members of templates.
std::string by_linkage_name(Dwarf_Die& die, const std::string& otherwise) {
  Dwarf_Attribute attribute;
  const char* mangled = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_linkage_name, &attribute));
  if (mangled == nullptr) {
    return otherwise;
  }
  const std::string readable = demangle(mangled);
  return std::string(without_parameters(readable));
}

class Walker {
 public:
  Walker(const WalkVisitor& visit, const WalkLimits& limits) : visit_(visit), limits_(limits) {}

  void children(Dwarf_Die& parent, const std::string& scope, std::size_t depth) {
    Dwarf_Die die;
    if (depth >= limits_.depth || dwarf_child(&parent, &die) != 0) {
      return;
    }
    do {
      if (++visited_ > limits_.entries) {
        return;
      }
      entry(die, scope, depth);
    } while (dwarf_siblingof(&die, &die) == 0);
  }

  // References between units are rare (link-time optimisation): the name is then less qualified.
  void forget_unit() { names_.clear(); }

 private:
  void entry(Dwarf_Die& die, const std::string& scope, std::size_t depth) {
    const int tag = dwarf_tag(&die);
    const Visit what = visit_of(tag);
    if (what == Visit::kNeither) {
      if (tag == DW_TAG_member && dwarf_hasattr(&die, DW_AT_declaration) != 0) {
        names_[die.addr] = qualified(scope, own_name(die));  // a static member before DWARF 5
      }
      return;
    }
    const std::string name = tag == DW_TAG_lexical_block ? scope : name_of(die, tag, scope);
    const bool is_named =
        tag == DW_TAG_variable || tag == DW_TAG_subprogram ? !name.empty() : dwarf_hasattr(&die, DW_AT_name) != 0;
    if ((what == Visit::kSelf || what == Visit::kSelfAndChildren) && is_named) {
      visit_(die, tag, name);
    }
    if (what != Visit::kSelf) {
      children(die, name, depth + 1);
    }
  }

  // What is defined outside of its class or namespace refers to the declaration there, which the walk has passed
  // before.
  std::string name_of(Dwarf_Die& die, int tag, const std::string& scope) {
    std::string own = own_name(die);
    if (tag == DW_TAG_namespace && own.empty()) {
      own = "(anonymous namespace)";
    }
    if (tag != DW_TAG_variable && tag != DW_TAG_subprogram) {
      return own.empty() ? scope : qualified(scope, own);
    }
    std::string name = own.empty() ? std::string() : qualified(scope, own);
    for (const unsigned reference : {unsigned{DW_AT_specification}, unsigned{DW_AT_abstract_origin}}) {
      Dwarf_Attribute attribute;
      Dwarf_Die declared;
      if (dwarf_formref_die(dwarf_attr(&die, reference, &attribute), &declared) != nullptr) {
        const auto known = names_.find(declared.addr);
        name = known != names_.end() ? known->second : by_linkage_name(die, name);
      }
    }
    if (dwarf_hasattr(&die, DW_AT_declaration) != 0 || dwarf_hasattr(&die, DW_AT_inline) != 0) {
      names_[die.addr] = name;
    }
    return name;
  }

  const WalkVisitor& visit_;
  WalkLimits limits_;
  std::size_t visited_ = 0;
  std::unordered_map<const void*, std::string> names_;  // of declarations and abstract instances
};

}  // namespace

std::string own_name(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  const char* name = dwarf_formstring(dwarf_attr_integrate(&die, DW_AT_name, &attribute));
  return name != nullptr ? name : "";
}

WalkResult walk(Dwarf* dwarf, const WalkVisitor& visit, const WalkLimits& limits) {
  Walker walker(visit, limits);
  WalkResult result;
  Dwarf_CU* unit = nullptr;
  Dwarf_Die top;
  std::uint8_t type = 0;
  // The last argument stays null: libdw would open the .dwo file that a skeleton unit names, wherever that is.
  while (dwarf_get_units(dwarf, unit, &unit, nullptr, &type, &top, nullptr) == 0) {
    ++result.units;
    result.split_units += type == DW_UT_skeleton ? 1 : 0;
    walker.children(top, {}, 0);
    walker.forget_unit();
  }
  return result;
}

}  // namespace raceguard::symbols
