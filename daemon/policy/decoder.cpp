// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "daemon/policy/document.h"

namespace raceguard::policy {
namespace {

std::vector<std::string> key_names(const Mapping& mapping) {
  std::vector<std::string> names;
  for (const Key& key : mapping.keys) {
    names.emplace_back(key.name);
  }
  return names;
}

void refuse_value(const Node& node, const Key& key, const Fault& fault, Context& context) {
  context.refuse(fault.code, context.at(node),
                 fmt::format("{} for {}, expected {}{}", fault.found, key.name, fault.expected, fault.hint));
}

void refuse_kind(const Node& node, const Key& key, Context& context) {
  refuse_value(node, key, {ErrorCode::kPolicyValue, found_text(node), expectation(key), {}}, context);
}

// A user's id: a plain number is one, any other text is a name.
tl::expected<Value, Fault> read_user(const Node& node, const Key& key, const Context& context) {
  if (!node.quoted && !node.text.empty() && node.text.find_first_not_of("0123456789") == std::string::npos) {
    Key id = key;
    id.kind = Kind::kCount;
    return read_scalar(node, id);
  }
  auto name = read_scalar(node, key);
  if (!name) {
    return name;
  }
  const auto uid = context.options().user(node.text);
  if (!uid) {
    return tl::unexpected<Fault>({ErrorCode::kPolicyReference,
                                  fmt::format("user \"{}\"", node.text),
                                  "a user of this machine (or a user's id)",
                                  {}});
  }
  return Value(static_cast<std::int64_t>(*uid));
}

tl::expected<Value, Fault> read_item(const Node& node, const Key& key, const Context& context) {
  return key.kind == Kind::kUsers ? read_user(node, key, context) : read_scalar(node, key);
}

// One scalar or a list of scalars.
void decode_list(const Node& node, const Key& key, void* object, Context& context) {
  const std::span<const Node> items =
      node.kind == NodeKind::kList ? std::span<const Node>(node.children) : std::span<const Node>(&node, 1);
  std::vector<std::string> texts;
  std::vector<std::int64_t> numbers;
  for (const Node& item : items) {
    if (item.kind != NodeKind::kScalar) {
      refuse_kind(item, key, context);
      continue;
    }
    auto value = read_item(item, key, context);
    if (!value) {
      refuse_value(item, key, value.error(), context);
    } else if (const auto* text = std::get_if<std::string>(&*value)) {
      texts.push_back(*text);
    } else {
      numbers.push_back(std::get<std::int64_t>(*value));
    }
  }
  if (items.empty()) {
    context.refuse(ErrorCode::kPolicyValue, context.at(node),
                   fmt::format("an empty list for {}, expected at least one entry", key.name), "Remove the key");
  }
  key.store(object, key.kind == Kind::kTexts ? Value(std::move(texts)) : Value(std::move(numbers)));
}

// What a text stands for: a mapping with one key.
Node named(const Node& text, const Key& key) {
  Node mapping = text;
  mapping.kind = NodeKind::kMapping;
  mapping.text.clear();
  mapping.children = {text};
  mapping.children.front().key = key.name;
  return mapping;
}

void decode_mappings(const Node& node, const Key& key, void* object, Context& context) {
  const bool one_name = key.kind == Kind::kNames && node.kind == NodeKind::kScalar;
  if (node.kind != NodeKind::kList && !one_name) {
    refuse_kind(node, key, context);
    return;
  }
  for (const Node& item : one_name ? std::span<const Node>(&node, 1) : std::span<const Node>(node.children)) {
    if (key.kind == Kind::kNames && item.kind == NodeKind::kScalar) {
      decode_mapping(named(item, key.mapping->keys.front()), *key.mapping, key.child(object), context);
    } else {
      decode_mapping(item, *key.mapping, key.child(object), context);
    }
  }
}

void decode_value(const Node& node, const Key& key, void* object, Context& context) {
  const bool list_kind = key.kind == Kind::kTexts || key.kind == Kind::kPids || key.kind == Kind::kUsers;
  if (list_kind && node.kind != NodeKind::kNull && node.kind != NodeKind::kMapping) {
    decode_list(node, key, object, context);
  } else if (is_list_of_mappings(key.kind)) {
    decode_mappings(node, key, object, context);
  } else if (key.kind == Kind::kMapping || (key.kind == Kind::kWindow && node.kind == NodeKind::kMapping)) {
    decode_mapping(node, *key.mapping, key.child(object), context);
  } else if (node.kind != NodeKind::kScalar) {
    refuse_kind(node, key, context);
  } else if (auto value = read_scalar(node, key)) {
    key.store(object, *value);
  } else {
    refuse_value(node, key, value.error(), context);
  }
}

void refuse_unknown(const Node& member, const Mapping& mapping, Context& context) {
  if (context.errors.full()) {
    return;  // before the search for the nearest key, which costs
  }
  const std::vector<std::string> names = key_names(mapping);
  context.refuse(ErrorCode::kPolicyUnknownKey, context.at_key(member),
                 fmt::format("unknown key {} in {}, expected one of {}{}", in_quotes(member.key), mapping.name,
                             fmt::join(names, ", "), did_you_mean(member.key, names)));
}

}  // namespace

void decode_mapping(const Node& node, const Mapping& mapping, void* object, Context& context) {
  if (node.kind != NodeKind::kMapping) {
    context.refuse(ErrorCode::kPolicyValue, context.at(node),
                   fmt::format("{} for {}, expected a mapping of keys to values", found_text(node), mapping.name));
    return;
  }
  for (const Node& member : node.children) {
    const auto key = std::find_if(mapping.keys.begin(), mapping.keys.end(),
                                  [&](const Key& candidate) { return candidate.name == member.key; });
    if (key == mapping.keys.end()) {
      refuse_unknown(member, mapping, context);
    } else if (node.find(member.key) == &member) {  // of duplicates, refused already, the first counts
      decode_value(member, *key, object, context);
    }
  }
  for (const Key& key : mapping.keys) {
    if (key.required && node.find(key.name) == nullptr) {
      context.refuse(ErrorCode::kPolicyMissingKey, context.at(node),
                     fmt::format("no key \"{}\" in {}, expected {}", key.name, mapping.name, expectation(key)));
    }
  }
  if (mapping.check != nullptr) {
    mapping.check(object, node, context);
  }
}

void decode_file(std::string_view text, Policy& policy, Position& daemon_section, Context& context) {
  Node root;
  if (!parse_document(text, context.file(), root, context.errors)) {
    return;
  }
  if (root.kind == NodeKind::kNull) {
    context.refuse(ErrorCode::kPolicyMissingKey, {context.file(), 1, 1},
                   "an empty document, expected at least \"apiVersion: raceguard/v1\"");
    return;
  }
  FileContents contents;
  decode_mapping(root, kFileMapping, &contents, context);
  if (contents.daemon) {
    const Position here = context.at_key(*root.find("daemon"));
    if (daemon_section.line != 0) {
      context.refuse(ErrorCode::kPolicyDuplicateKey, here,
                     fmt::format("section \"daemon\" again (before at {}), expected it in one file only",
                                 to_string(daemon_section)),
                     "Move its keys into one file");
    } else {
      daemon_section = here;
      policy.daemon = *contents.daemon;
    }
  }
  std::move(contents.guards.begin(), contents.guards.end(), std::back_inserter(policy.guards));
}

void Context::check_names() {
  std::map<std::pair<std::string, std::string>, const UsedName*> first;
  for (const UsedName& use : names_) {
    const auto [entry, added] = first.emplace(std::pair(use.kind, use.name), &use);
    if (!added) {
      refuse(
          ErrorCode::kPolicyDuplicateKey, use.position,
          fmt::format("{} \"{}\" again (before at {}), expected a name of its own", use.kind, use.name,
                      to_string(entry->second->position)),
          use.kind == "function" ? "Give one of the two another name with the key \"name\"" : "Rename one of the two");
    }
  }
}

}  // namespace raceguard::policy
