// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/dwarf_type.h"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>

#include "daemon/symbols/dwarf_walk.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMaxChain = 32;  // typedefs and qualifiers in a row
constexpr std::size_t kMaxDepth = 16;  // pointers to pointers, arrays of arrays
constexpr std::size_t kMaxDimensions = 8;
constexpr std::uint64_t kPointerSize = 8;

bool is_composite(int tag) {
  return tag == DW_TAG_structure_type || tag == DW_TAG_class_type || tag == DW_TAG_union_type;
}

std::optional<Dwarf_Die> referenced(Dwarf_Die& die, unsigned attribute_name) {
  Dwarf_Attribute attribute;
  Dwarf_Die target;
  return dwarf_formref_die(dwarf_attr_integrate(&die, attribute_name, &attribute), &target) != nullptr
             ? std::optional(target)
             : std::nullopt;
}

std::optional<std::uint64_t> number(Dwarf_Die& die, unsigned attribute_name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  return dwarf_formudata(dwarf_attr_integrate(&die, attribute_name, &attribute), &value) == 0
             ? std::optional<std::uint64_t>(value)
             : std::nullopt;
}

std::string_view qualifier_free_word(int tag) {
  switch (tag) {
    case DW_TAG_union_type:
      return "union {...}";
    case DW_TAG_class_type:
      return "class {...}";
    case DW_TAG_enumeration_type:
      return "enum {...}";
    default:
      return "struct {...}";
  }
}

std::uint64_t dimension_count(Dwarf_Die& range) {
  if (const auto count = number(range, DW_AT_count)) {
    return *count;
  }
  const auto upper = number(range, DW_AT_upper_bound);
  const std::uint64_t lower = number(range, DW_AT_lower_bound).value_or(0);
  return upper && *upper != UINT64_MAX && *upper + 1 > lower ? *upper + 1 - lower : 0;
}

std::vector<std::uint64_t> dimensions(const Type& array) {
  std::vector<std::uint64_t> counts;
  Dwarf_Die parent = array.die;
  Dwarf_Die child;
  if (dwarf_child(&parent, &child) != 0) {
    return counts;
  }
  do {
    if (dwarf_tag(&child) == DW_TAG_subrange_type) {
      counts.push_back(dimension_count(child));
    }
  } while (counts.size() < kMaxDimensions && dwarf_siblingof(&child, &child) == 0);
  return counts;
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? 0 : product;
}

}  // namespace

void TypeIndex::add(Dwarf_Die& die, const std::string& name) {
  const bool complete = dwarf_hasattr(&die, DW_AT_declaration) == 0;
  const auto place = by_name_.try_emplace(name, Definition{die, complete}).first;
  if (complete && !place->second.complete) {
    place->second = {die, true};
  }
  if (name.find("::") != std::string::npos) {
    name_of_die_[die.addr] = &place->first;
  }
}

std::string TypeIndex::name_of(Dwarf_Die& die) const {
  const auto found = name_of_die_.find(die.addr);
  return found != name_of_die_.end() ? *found->second : own_name(die);
}

std::optional<Dwarf_Die> TypeIndex::definition(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() && found->second.complete ? std::optional(found->second.die) : std::nullopt;
}

std::vector<std::string> TypeIndex::ending_with(const std::string& name) const {
  std::vector<std::string> result;
  const std::string wanted = "::" + name;
  for (const auto& [known, definition] : by_name_) {
    if (definition.complete && known.ends_with(wanted)) {
      result.push_back(known);
    }
  }
  std::ranges::sort(result);
  return result;
}

std::vector<std::string> TypeIndex::names() const {
  std::vector<std::string> result;
  for (const auto& [name, definition] : by_name_) {
    result.push_back(name);
  }
  return result;
}

Type TypeReader::type_of(Dwarf_Die& variable_or_member) const {
  const auto type = referenced(variable_or_member, DW_AT_type);
  return type ? resolve(*type) : Type{};
}

Type TypeReader::resolve(Dwarf_Die type) const { return resolve_within(type, 0); }

Type TypeReader::resolve_within(Dwarf_Die die, std::size_t depth) const {
  Type type;
  std::string prefix;
  for (std::size_t step = 0; step < kMaxChain; ++step) {
    const int tag = dwarf_tag(&die);
    bool goes_on = true;
    switch (tag) {
      case DW_TAG_const_type:
        type.is_const = true;
        break;
      case DW_TAG_volatile_type:
        type.is_volatile = true;
        prefix = "volatile ";
        break;
      case DW_TAG_atomic_type:
        type.known = KnownType{VariableKind::kAtomic, RG_LOCK_NONE};
        prefix = "_Atomic ";
        break;
      case DW_TAG_restrict_type:
      case DW_TAG_immutable_type:
      case DW_TAG_packed_type:
        break;
      default:
        goes_on = tag == DW_TAG_typedef;
        if (const std::string name = index_->name_of(die); !name.empty()) {
          type.name = type.name.empty() ? prefix + name : type.name;
          type.known = type.known ? type.known : known_type(name);
        }
    }
    if (!goes_on) {
      type.tag = tag;
      type.die = die;
      break;
    }
    const auto next = referenced(die, DW_AT_type);
    if (!next) {
      break;
    }
    die = *next;
  }
  if (is_composite(type.tag) && dwarf_hasattr(&type.die, DW_AT_declaration) != 0) {
    type.die = index_->definition(index_->name_of(type.die)).value_or(type.die);
  }
  if (type.name.empty()) {
    type.name = prefix + name_of(type, depth);
  }
  return type;
}

// Of a type that has no name of its own.
std::string TypeReader::name_of(Type& type, std::size_t depth) const {
  if (type.tag == 0) {
    return "void";
  }
  if (is_array(type)) {
    const auto of = referenced(type.die, DW_AT_type);
    std::string name = !of ? "void" : depth < kMaxDepth ? resolve_within(*of, depth + 1).name : "...";
    for (const std::uint64_t count : dimensions(type)) {
      name += fmt::format("[{}]", count);
    }
    return name;
  }
  if (type.tag == DW_TAG_subroutine_type) {
    return "function";
  }
  if (!is_pointer(type)) {
    return std::string(qualifier_free_word(type.tag));
  }
  const auto target = referenced(type.die, DW_AT_type);
  const std::string_view mark = type.tag == DW_TAG_pointer_type ? "*" : type.tag == DW_TAG_reference_type ? "&" : "&&";
  if (!target) {
    return "void" + std::string(mark);
  }
  return (depth < kMaxDepth ? resolve_within(*target, depth + 1).name : "...") + std::string(mark);
}

bool TypeReader::is_structure(const Type& type) {
  if (type.known || !is_composite(type.tag)) {
    return false;
  }
  Dwarf_Die parent = type.die;
  Dwarf_Die child;
  if (dwarf_child(&parent, &child) != 0) {
    return true;  // empty
  }
  do {
    if (dwarf_tag(&child) == DW_TAG_variant_part) {
      return false;
    }
  } while (dwarf_siblingof(&child, &child) == 0);
  return true;
}

bool TypeReader::is_array(const Type& type) { return type.tag == DW_TAG_array_type && !type.known; }

bool TypeReader::is_pointer(const Type& type) {
  return type.tag == DW_TAG_pointer_type || type.tag == DW_TAG_reference_type ||
         type.tag == DW_TAG_rvalue_reference_type;
}

Type TypeReader::element(const Type& array) const {
  Dwarf_Die die = array.die;
  Type type = type_of(die);
  type.is_const = type.is_const || array.is_const;
  type.is_volatile = type.is_volatile || array.is_volatile;
  return type;
}

ArrayShape TypeReader::shape(const Type& array, std::size_t dimension) const {
  const auto counts = dimensions(array);
  ArrayShape result{.count = 0, .element_size = size_of(element(array)), .dimensions = counts.size()};
  if (dimension < counts.size()) {
    result.count = counts[dimension];
    for (std::size_t inner = dimension + 1; inner < counts.size(); ++inner) {
      result.element_size = times(result.element_size, counts[inner]);
    }
  }
  return result;
}

std::uint64_t TypeReader::size_of(const Type& type) const { return size_within(type, 0); }

std::uint64_t TypeReader::size_within(const Type& type, std::size_t depth) const {
  Dwarf_Die die = type.die;
  if (type.tag == 0 || depth > kMaxDepth) {
    return 0;
  }
  if (const auto size = number(die, DW_AT_byte_size)) {
    return *size;
  }
  if (is_pointer(type)) {
    return kPointerSize;
  }
  if (type.tag == DW_TAG_ptr_to_member_type) {
    const Type target = type_of(die);
    return target.tag == DW_TAG_subroutine_type ? 2 * kPointerSize : kPointerSize;
  }
  const auto next = referenced(die, DW_AT_type);
  if (!next) {
    return 0;
  }
  std::uint64_t size = size_within(resolve(*next), depth + 1);
  if (type.tag == DW_TAG_array_type) {
    for (const std::uint64_t count : dimensions(type)) {
      size = times(size, count);
    }
  }
  return size;
}

std::optional<SourceLine> declaration_of(Dwarf_Die& die) {
  const char* file = dwarf_decl_file(&die);
  int line = 0;
  if (file == nullptr || dwarf_decl_line(&die, &line) != 0 || line <= 0) {
    return std::nullopt;
  }
  return SourceLine{.file = file, .line = static_cast<std::uint32_t>(line)};
}

}  // namespace raceguard::symbols
