// SPDX-License-Identifier: Apache-2.0
// Types as DWARF describes them, as far as the layout of variables needs it. Every way through a type is bounded: a
// hostile file may make a typedef of itself.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/symbols/known_types.h"

namespace raceguard::symbols {

// Qualified names of types, and where the definition is of a type that a unit only declares.
class TypeIndex {
 public:
  void add(Dwarf_Die& die, const std::string& name);
  [[nodiscard]] std::string name_of(Dwarf_Die& die) const;
  [[nodiscard]] std::optional<Dwarf_Die> definition(const std::string& name) const;
  // Names with the given last part ("Account" of "bank::Account").
  [[nodiscard]] std::vector<std::string> ending_with(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Definition {
    Dwarf_Die die{};
    bool complete = false;
  };
  std::unordered_map<std::string, Definition> by_name_;
  std::unordered_map<const void*, const std::string*> name_of_die_;  // points to keys of by_name_
};

// A type without its typedefs and qualifiers.
struct Type {
  Dwarf_Die die{};
  int tag = 0;  // DW_TAG_*; 0: void, unknown, or deeper than the limit
  std::string name;
  bool is_const = false;
  bool is_volatile = false;
  std::optional<KnownType> known;
};

struct Member {
  std::string name;  // empty: a base class or an anonymous member, whose members belong to the whole
  std::uint64_t offset = 0;
  std::uint64_t bit_field_bytes = 0;  // 0: no bit-field
  Dwarf_Die die{};
};

struct ArrayShape {
  std::uint64_t count = 0;         // of the outermost dimension
  std::uint64_t element_size = 0;  // of one of these
  std::size_t dimensions = 0;
};

class TypeReader {
 public:
  explicit TypeReader(const TypeIndex& index) : index_(&index) {}

  [[nodiscard]] Type type_of(Dwarf_Die& variable_or_member) const;  // by DW_AT_type
  [[nodiscard]] Type resolve(Dwarf_Die type) const;
  [[nodiscard]] std::uint64_t size_of(const Type& type) const;  // 0: unknown

  [[nodiscard]] std::vector<Member> members(const Type& type) const;
  // An array with `dimension` dimensions passed over already.
  [[nodiscard]] ArrayShape shape(const Type& array, std::size_t dimension) const;
  [[nodiscard]] Type element(const Type& array) const;

  // Made of parts that have names or indices. Not: what is known, and Rust's enums with data.
  [[nodiscard]] static bool is_structure(const Type& type);
  [[nodiscard]] static bool is_array(const Type& type);
  [[nodiscard]] static bool is_pointer(const Type& type);

 private:
  [[nodiscard]] Type resolve_within(Dwarf_Die type, std::size_t depth) const;
  [[nodiscard]] std::string name_of(Type& type, std::size_t depth) const;
  [[nodiscard]] std::uint64_t size_within(const Type& type, std::size_t depth) const;

  const TypeIndex* index_;
};

std::optional<SourceLine> declaration_of(Dwarf_Die& die);

}  // namespace raceguard::symbols
