// SPDX-License-Identifier: Apache-2.0
// From a variable to its members and elements, and from a byte of it to the scalar that holds it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/symbols/dwarf_type.h"
#include "daemon/symbols/variable.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

// A variable, or a part of one.
struct Place {
  std::string path;  // "config.counters[3]"
  Type type;
  std::size_t dimensions_passed = 0;  // of an array type: "[3]" of int[4][5] is 1
  std::uint64_t address = 0;
  std::uint64_t bit_field_bytes = 0;  // 0: no bit-field
  Dwarf_Die declared{};               // the variable or member
};

class VariableLayout {
 public:
  explicit VariableLayout(const TypeReader& types) : types_(&types) {}

  [[nodiscard]] Variable describe(const Place& place) const;

  // The scalars below `place` in the order of their addresses, at most `limit`. Adjacent bit-fields are one memory
  // location (C11 3.14) and come as one: "state.{ready,busy}". Of a union: those of its widest member.
  [[nodiscard]] std::vector<Variable> scalars(const Place& place, std::size_t limit) const;
  // The scalar that holds `address`, or what there is at the place where no member holds it (padding).
  [[nodiscard]] Variable at(const Place& place, std::uint64_t address) const;
  // One step of a path after another: "counters", "[3]", "hits". The error says where it breaks off.
  [[nodiscard]] Result<Place> follow(Place place, const std::vector<std::string>& steps) const;

 private:
  struct Collector;
  [[nodiscard]] Place member_place(const Place& whole, const Member& member) const;
  [[nodiscard]] Place element_place(const Place& array, std::uint64_t index) const;
  [[nodiscard]] std::uint64_t element_count(const Place& place) const;
  [[nodiscard]] bool is_array(const Place& place) const;
  [[nodiscard]] std::uint64_t size_of(const Place& place) const;
  [[nodiscard]] std::vector<Member> widest_only(const Type& type, std::vector<Member> members) const;
  [[nodiscard]] std::optional<Place> find_member(const Place& whole, const std::string& name, std::size_t depth,
                                                 std::vector<std::string>& known) const;
  void describe_lock(const Place& place, Variable& variable) const;
  void collect(const Place& place, std::size_t depth, Collector& collector) const;

  const TypeReader* types_;
};

}  // namespace raceguard::symbols
