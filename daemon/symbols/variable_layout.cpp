// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/variable_layout.h"

#include <dwarf.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "daemon/symbols/symbol_suggestion.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMaxDepth = 24;  // members of members

std::string join(const std::string& whole, const std::string& member) {
  return member.empty() ? whole : whole + "." + member;
}

}  // namespace

// What one walk over a variable has found so far.
struct VariableLayout::Collector {
  std::size_t limit = 0;
  std::size_t steps = 0;  // parts looked at, also those that yield nothing: a hostile structure is its own member
  std::vector<Variable> found;
  // The run of bit-fields that the last found variable is: names, and the whole that they are members of.
  std::vector<std::string> bit_fields;
  std::string bit_field_owner;

  [[nodiscard]] bool full() const {
    return found.size() >= limit || steps >= 16384 + 8 * std::min<std::size_t>(limit, 1U << 20U);
  }

  // True if the bit-field belongs to the run. A run ends at a byte that two fields do not share.
  bool extends_run(const std::string& owner, const std::string& name, const Variable& field) {
    if (bit_fields.empty() || owner != bit_field_owner || field.address >= found.back().address + found.back().size) {
      return false;
    }
    Variable& run = found.back();
    bit_fields.push_back(name);
    run.size = std::max(run.address + run.size, field.address + field.size) - run.address;
    run.name = fmt::format("{}.{{{}}}", owner, fmt::join(bit_fields, ","));
    return true;
  }
};

bool VariableLayout::is_array(const Place& place) const {
  return TypeReader::is_array(place.type) &&
         place.dimensions_passed < types_->shape(place.type, place.dimensions_passed).dimensions;
}

std::uint64_t VariableLayout::element_count(const Place& place) const {
  return types_->shape(place.type, place.dimensions_passed).count;
}

std::uint64_t VariableLayout::size_of(const Place& place) const {
  if (place.bit_field_bytes != 0) {
    return place.bit_field_bytes;
  }
  if (!TypeReader::is_array(place.type)) {
    return types_->size_of(place.type);
  }
  const ArrayShape shape = types_->shape(place.type, place.dimensions_passed);
  std::uint64_t size = 0;
  return __builtin_mul_overflow(shape.count, shape.element_size, &size) ? 0 : size;
}

Place VariableLayout::member_place(const Place& whole, const Member& member) const {
  Dwarf_Die die = member.die;
  Place place{.path = join(whole.path, member.name),
              .type = types_->type_of(die),
              .dimensions_passed = 0,
              .address = whole.address + member.offset,
              .bit_field_bytes = member.bit_field_bytes,
              .declared = member.die};
  place.type.is_volatile = place.type.is_volatile || whole.type.is_volatile;
  return place;
}

Place VariableLayout::element_place(const Place& array, std::uint64_t index) const {
  const ArrayShape shape = types_->shape(array.type, array.dimensions_passed);
  Place place = array;
  place.path += fmt::format("[{}]", index);
  place.address += index * shape.element_size;
  if (array.dimensions_passed + 1 < shape.dimensions) {
    ++place.dimensions_passed;
  } else {
    place.type = types_->element(array.type);
    place.dimensions_passed = 0;
  }
  return place;
}

// The lock's state may be that of a member: std::mutex has a pthread_mutex_t.
void VariableLayout::describe_lock(const Place& place, Variable& variable) const {
  variable.lock = place.type.known->lock;
  if (variable.lock != RG_LOCK_NONE) {
    return;
  }
  Place inner = place;
  inner.type.known.reset();
  if (!TypeReader::is_structure(inner.type)) {
    return;
  }
  constexpr std::size_t kFirstFew = 8;
  Collector collector{.limit = kFirstFew, .steps = 0, .found = {}, .bit_fields = {}, .bit_field_owner = {}};
  collect(inner, kMaxDepth / 2, collector);
  for (const Variable& part : collector.found) {
    if (part.lock != RG_LOCK_NONE) {
      variable.lock = part.lock;
      variable.address = part.address;
      return;
    }
  }
}

Variable VariableLayout::describe(const Place& place) const {
  Variable variable;
  variable.name = place.path;
  variable.type = place.type.name;
  variable.address = place.address;
  variable.size = size_of(place);
  Dwarf_Die declared = place.declared;
  variable.declared = declared.addr != nullptr ? declaration_of(declared) : std::nullopt;
  Type bare = place.type;
  for (std::size_t depth = 0; TypeReader::is_array(bare) && depth < kMaxDepth; ++depth) {
    bare = types_->element(bare);
  }
  variable.kind = bare.known         ? bare.known->kind
                  : bare.is_const    ? VariableKind::kConstant
                  : bare.is_volatile ? VariableKind::kVolatile
                                     : VariableKind::kPlain;
  if (place.type.known && variable.kind == VariableKind::kLock) {
    describe_lock(place, variable);
  }
  return variable;
}

std::vector<Member> VariableLayout::widest_only(const Type& type, std::vector<Member> members) const {
  if (type.tag != DW_TAG_union_type || members.empty()) {
    return members;
  }
  const auto size = [&](const Member& member) {
    Dwarf_Die die = member.die;
    return types_->size_of(types_->type_of(die));
  };
  return {*std::ranges::max_element(members, {}, size)};
}

void VariableLayout::collect(const Place& place, std::size_t depth, Collector& collector) const {
  if (collector.full() || depth >= kMaxDepth) {
    return;
  }
  ++collector.steps;
  if (is_array(place)) {
    const std::uint64_t count = element_count(place);
    for (std::uint64_t index = 0; index < count && !collector.full(); ++index) {
      collect(element_place(place, index), depth + 1, collector);
    }
    return;
  }
  if (!TypeReader::is_structure(place.type)) {
    Variable scalar = describe(place);
    if (scalar.size != 0) {
      collector.bit_fields.clear();
      collector.found.push_back(std::move(scalar));
    }
    return;
  }
  for (const Member& member : widest_only(place.type, types_->members(place.type))) {
    const Place part = member_place(place, member);
    if (member.bit_field_bytes == 0 || collector.full()) {
      collect(part, depth + 1, collector);
      continue;
    }
    Variable field = describe(part);
    if (!collector.extends_run(place.path, member.name, field)) {
      collector.bit_fields = {member.name};
      collector.bit_field_owner = place.path;
      collector.found.push_back(std::move(field));
    }
  }
}

std::vector<Variable> VariableLayout::scalars(const Place& place, std::size_t limit) const {
  Collector collector{.limit = limit, .steps = 0, .found = {}, .bit_fields = {}, .bit_field_owner = {}};
  collect(place, 0, collector);
  return std::move(collector.found);
}

Variable VariableLayout::at(const Place& whole, std::uint64_t address) const {
  Place place = whole;
  for (std::size_t depth = 0; depth < kMaxDepth; ++depth) {
    if (is_array(place)) {
      const std::uint64_t size = types_->shape(place.type, place.dimensions_passed).element_size;
      if (size == 0 || address < place.address) {
        break;
      }
      place = element_place(place, (address - place.address) / size);
      continue;
    }
    if (!TypeReader::is_structure(place.type)) {
      break;
    }
    const auto members = widest_only(place.type, types_->members(place.type));
    const auto holder = std::ranges::find_if(members, [&](const Member& member) {
      const Place part = member_place(place, member);
      return address >= part.address && address - part.address < size_of(part);
    });
    if (holder == members.end()) {
      break;
    }
    if (holder->bit_field_bytes != 0) {
      // Its neighbours belong to the same memory location.
      for (const Variable& scalar : scalars(place, members.size())) {
        if (address >= scalar.address && address - scalar.address < scalar.size) {
          return scalar;
        }
      }
    }
    place = member_place(place, *holder);
  }
  return describe(place);
}

std::optional<Place> VariableLayout::find_member(const Place& whole, const std::string& name, std::size_t depth,
                                                 std::vector<std::string>& known) const {
  constexpr std::size_t kMaxNames = 4096;
  if (depth >= kMaxDepth || known.size() > kMaxNames || !TypeReader::is_structure(whole.type)) {
    return std::nullopt;
  }
  const auto members = types_->members(whole.type);
  for (const Member& member : members) {
    if (member.name == name) {
      return member_place(whole, member);
    }
    if (!member.name.empty()) {
      known.push_back(member.name);
    }
  }
  for (const Member& member : members) {
    if (member.name.empty()) {
      if (auto found = find_member(member_place(whole, member), name, depth + 1, known)) {
        return found;
      }
    }
  }
  return std::nullopt;
}

Result<Place> VariableLayout::follow(Place place, const std::vector<std::string>& steps) const {
  for (const std::string& step : steps) {
    const auto broken = [&](std::string_view why, std::string remedy = {}) {
      return fail(ErrorCode::kSymbolNotFound,
                  fmt::format("cannot follow \"{}\" behind \"{}\" ({}): {}", step, place.path, place.type.name, why),
                  std::move(remedy));
    };
    if (step.starts_with("->") || (TypeReader::is_pointer(place.type) && place.bit_field_bytes == 0)) {
      return broken("it is a pointer, and what it points to is not at a fixed place",
                    "Watch members of an object with `members:` of a guarded function.");
    }
    if (step.starts_with('[')) {
      std::uint64_t index = 0;
      const auto [end, error] = std::from_chars(step.data() + 1, step.data() + step.size() - 1, index);
      if (!is_array(place)) {
        return broken("it is no array");
      }
      const std::uint64_t count = element_count(place);
      if (error != std::errc() || end != step.data() + step.size() - 1 || index >= count) {
        return broken(fmt::format("the index must be a number below {}", count));
      }
      place = element_place(place, index);
      continue;
    }
    std::vector<std::string> known;
    auto member = find_member(place, step, 0, known);
    if (!member) {
      const auto nearest = nearest_of(known, step);
      return broken(known.empty() ? "it has no members" : "it has no such member",
                    nearest.empty() ? "" : fmt::format("Did you mean {}?", fmt::join(nearest, ", ")));
    }
    place = std::move(*member);
  }
  return place;
}

}  // namespace raceguard::symbols
