// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/variable.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/dwarf_file.h"
#include "daemon/symbols/dwarf_type.h"
#include "daemon/symbols/dwarf_walk.h"
#include "daemon/symbols/symbol_suggestion.h"
#include "daemon/symbols/variable_layout.h"
#include "daemon/symbols/variable_lookup.h"
#include "daemon/symbols/variable_path.h"
#include "daemon/symbols/variable_scan.h"

namespace raceguard::symbols {

struct VariableIndex::Impl {
  const ElfFile* file = nullptr;
  DwarfFile dwarf;
  std::string why_no_types;  // empty: there are types
  TypeIndex types;
  TypeReader reader{types};
  VariableLayout layout{reader};
  std::vector<FoundVariable> found;  // by address
  std::vector<Variable> globals;     // the writable ones of `found`, in the same order

  [[nodiscard]] Place place_of(const FoundVariable& variable) const {
    Dwarf_Die die = variable.die;
    return Place{.path = variable.variable.name,
                 .type = reader.type_of(die),
                 .dimensions_passed = 0,
                 .address = variable.variable.address,
                 .bit_field_bytes = 0,
                 .declared = variable.die};
  }
};

Result<VariableIndex> VariableIndex::build(const ElfFile& file, std::uint64_t max_debug_bytes) {
  auto impl = std::make_unique<Impl>();
  impl->file = &file;
  impl->dwarf = DwarfFile::open(file, ".debug_info", max_debug_bytes);
  if (impl->dwarf.get() != nullptr) {
    DwarfScan scan = scan_dwarf(file, impl->dwarf.get(), impl->types, impl->layout, impl->reader);
    impl->found = std::move(scan.found);
    impl->why_no_types = scan.all_split ? file.path() + " has split DWARF, and .dwo files are not read" : "";
  } else {
    impl->why_no_types = impl->dwarf.why_not();
  }
  add_symbols(file, impl->found);
  for (const FoundVariable& one : impl->found) {
    const VariableKind kind = one.variable.kind;
    if (kind != VariableKind::kConstant && kind != VariableKind::kThreadLocal) {
      impl->globals.push_back(one.variable);
    }
  }
  return VariableIndex(std::move(impl));
}

VariableIndex::VariableIndex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VariableIndex::VariableIndex(VariableIndex&&) noexcept = default;
VariableIndex& VariableIndex::operator=(VariableIndex&&) noexcept = default;
VariableIndex::~VariableIndex() = default;

bool VariableIndex::has_types() const { return impl_->why_no_types.empty(); }
const std::string& VariableIndex::why_no_types() const { return impl_->why_no_types; }
const std::vector<Variable>& VariableIndex::globals() const { return impl_->globals; }

Result<Variable> VariableIndex::find(const std::string& path) const {
  const VariablePath wanted = parse_variable_path(path);
  const auto found = look_up(*impl_->file, impl_->found, wanted, impl_->why_no_types);
  if (!found) {
    return tl::unexpected(found.error());
  }
  const FoundVariable& variable = **found;
  if (variable.die.addr == nullptr) {
    if (!wanted.steps.empty()) {
      return fail(ErrorCode::kSymbolNotFound,
                  fmt::format("cannot follow \"{}\" behind \"{}\": its type is unknown, {}", wanted.steps.front(),
                              variable.variable.name, impl_->why_no_types),
                  "Name the whole variable, or install the debug symbols.");
    }
    return variable.variable;
  }
  auto place = impl_->layout.follow(impl_->place_of(variable), wanted.steps);
  if (!place) {
    return tl::unexpected(std::move(place.error()));
  }
  Variable result = impl_->layout.describe(*place);
  const VariableKind whole = variable.variable.kind;
  if (whole == VariableKind::kThreadLocal || whole == VariableKind::kConstant) {
    result.kind = whole;
  }
  return result;
}

std::vector<Variable> VariableIndex::scalars(const Variable& variable, std::size_t limit) const {
  // By its name, because a union's first member has the address of the whole; a part is found again by its path.
  const VariablePath path = parse_variable_path(variable.name);
  const FoundVariable* whole = holder_of(impl_->found, variable.address);
  if (whole == nullptr || whole->die.addr == nullptr || limit == 0) {
    return limit == 0 ? std::vector<Variable>{} : std::vector{variable};
  }
  auto place = impl_->layout.follow(impl_->place_of(*whole), path.steps);
  return place ? impl_->layout.scalars(*place, limit) : std::vector{variable};
}

std::optional<Variable> VariableIndex::at(std::uint64_t address) const {
  const FoundVariable* whole = holder_of(impl_->found, address);
  if (whole == nullptr) {
    return std::nullopt;
  }
  if (whole->die.addr != nullptr) {
    Variable result = impl_->layout.at(impl_->place_of(*whole), address);
    result.kind = whole->variable.kind == VariableKind::kConstant ? VariableKind::kConstant : result.kind;
    return result;
  }
  Variable part = whole->variable;
  if (const std::uint64_t inside = address - part.address; inside != 0) {
    part.name += fmt::format("+{:#x}", inside);
    part.address = address;
    part.size -= inside;
  }
  return part;
}

Result<Variable> VariableIndex::member(const std::string& type, const std::string& path) const {
  const auto named = find_type(impl_->types, type, impl_->why_no_types);
  if (!named) {
    return tl::unexpected(named.error());
  }
  Place whole{.path = type,
              .type = impl_->reader.resolve(*named),
              .dimensions_passed = 0,
              .address = 0,
              .bit_field_bytes = 0,
              .declared = {}};
  auto place = impl_->layout.follow(std::move(whole), parse_member_path(path));
  if (!place) {
    return tl::unexpected(std::move(place.error()));
  }
  return impl_->layout.describe(*place);
}

std::string VariableIndex::pointee_of_argument(const std::string& function, std::size_t index) const {
  return impl_->dwarf.get() != nullptr ? pointee_type(impl_->dwarf.get(), impl_->reader, function, index)
                                       : std::string();
}

}  // namespace raceguard::symbols
