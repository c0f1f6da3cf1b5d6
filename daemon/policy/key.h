// SPDX-License-Identifier: Apache-2.0
// The shape of a key table. From the tables come the decoder's known keys and ranges, the nearest-key suggestion,
// config/raceguard.yaml, the tables of docs/policy.md and the JSON Schema: a key exists in all of them or in none.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "daemon/policy/policy.h"

namespace raceguard::policy {

class Context;
struct Node;
struct Mapping;

enum class Kind {
  kText,
  kTexts,     // one text or a list of texts
  kPids,      // one or a list
  kUsers,     // one or a list, by name or uid
  kFlag,      // true, false
  kCount,     // whole number
  kNumber,    // number
  kDuration,  // nanoseconds
  kRatio,     // 0..1, written in percent
  kBytes,
  kChoice,      // one of `choices`; its index is stored
  kComparison,  // "< 0"
  kMapping,
  kMappings,  // a list of mappings
  kNames,     // the same; a text stands for the mapping's first key
  kWindow,    // a duration, or a mapping
};

struct ComparedWith {
  Comparison comparison = Comparison::kLess;
  std::int64_t operand = 0;
};

using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, std::vector<std::int64_t>,
                           ComparedWith>;

struct Key {
  std::string_view name = {};
  Kind kind = Kind::kText;
  std::string_view help = {};      // one or two sentences
  std::string_view fallback = {};  // the default as a user would write it, or words in parentheses; empty: none
  std::string_view sample = {};    // what config/raceguard.yaml shows if there is no default to show
  double minimum = 0;              // of numbers in ns, 0..1, bytes; of texts: unused
  double maximum = 0;              // the same; of texts: longest length in bytes, 0: kMaxText
  std::span<const std::string_view> choices = {};
  bool required = false;
  void (*store)(void* object, const Value& value) = nullptr;
  const Mapping* mapping = nullptr;        // what a kMapping, kMappings, kNames or kWindow consists of
  void* (*child)(void* object) = nullptr;  // the object that its keys belong to; of kMappings and kNames: a new one
};

struct Mapping {
  std::string_view name = {};  // for messages: "an entry of policies"
  std::span<const Key> keys = {};
  // Holds keys against each other after all are stored.
  void (*check)(void* object, const Node& node, Context& context) = nullptr;
};

inline constexpr double kMaxText = 4096;

namespace detail {

template <typename Field>
void assign(Field& field, const Value& value) {
  if constexpr (std::is_same_v<Field, bool> || std::is_same_v<Field, std::string> ||
                std::is_same_v<Field, std::vector<std::string>>) {
    field = std::get<Field>(value);
  } else if constexpr (std::is_floating_point_v<Field>) {
    field = std::get<double>(value);
  } else if constexpr (std::is_integral_v<Field> || std::is_enum_v<Field>) {
    field = static_cast<Field>(std::get<std::int64_t>(value));
  } else if constexpr (requires {
                         typename Field::value_type;
                         field.reset();
                       }) {
    assign(field.emplace(), value);
  } else {
    field.clear();
    for (const std::int64_t number : std::get<std::vector<std::int64_t>>(value)) {
      field.push_back(static_cast<typename Field::value_type>(number));
    }
  }
}

template <typename Owner, typename Field>
Owner owner_of(Field Owner::*);

template <auto Member>
using OwnerOf = decltype(owner_of(Member));

}  // namespace detail

// For Key::store and Key::child: the object is what the table's mapping decodes into.
template <auto Member>
void store(void* object, const Value& value) {
  detail::assign(static_cast<detail::OwnerOf<Member>*>(object)->*Member, value);
}
template <auto Member>
void* member(void* object) {
  return &(static_cast<detail::OwnerOf<Member>*>(object)->*Member);
}
template <auto Member>
void* new_item(void* object) {
  return &(static_cast<detail::OwnerOf<Member>*>(object)->*Member).emplace_back();
}
inline void* same_object(void* object) { return object; }

// What a file is decoded into: a Policy's parts; the top-level mapping of the tables.
struct FileContents {
  std::optional<DaemonSettings> daemon;
  std::vector<Guard> guards;
};
extern const Mapping kFileMapping;    // keys_guard.cpp
extern const Mapping kDaemonMapping;  // keys_daemon.cpp
extern const Mapping kBurstsMapping;  // keys_bursts.cpp
extern const Mapping kSwitchMapping;  // keys_switch.cpp
extern const Mapping kWatchMapping;   // keys_watch.cpp

// Its value is a list of mappings.
inline bool is_list_of_mappings(Kind kind) { return kind == Kind::kMappings || kind == Kind::kNames; }

}  // namespace raceguard::policy
