// SPDX-License-Identifier: Apache-2.0
// Walks a document by the key tables and fills the structs they name. Knows no key by name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/errors.h"
#include "daemon/policy/key.h"
#include "daemon/policy/load.h"
#include "daemon/policy/value.h"

namespace raceguard::policy {

// What must be unique over all files, with where it stands.
struct UsedName {
  std::string kind;  // "policy", "function", "switch"
  std::string name;
  Position position;
};

// What is shared by the files of one load.
class Context {
 public:
  explicit Context(const LoadOptions& options) : options_(options) {}

  void begin_file(std::string name) { file_ = std::move(name); }
  [[nodiscard]] Position at(const Node& node) const { return {file_, node.line, node.column}; }
  [[nodiscard]] Position at_key(const Node& node) const { return {file_, node.key_line, node.key_column}; }
  void refuse(ErrorCode code, const Position& position, std::string what, std::string remedy = {}) {
    errors.add(error_at(code, position, std::move(what), std::move(remedy)));
  }
  void use_name(std::string kind, std::string name, Position position) {
    names_.push_back({std::move(kind), std::move(name), std::move(position)});
  }
  void check_names();  // refuses each use of a name after its first
  [[nodiscard]] const LoadOptions& options() const { return options_; }
  [[nodiscard]] const std::string& file() const { return file_; }

  PolicyErrors errors;

 private:
  const LoadOptions& options_;
  std::string file_;
  std::vector<UsedName> names_;
};

// `object` is of the type that the mapping's table belongs to.
void decode_mapping(const Node& node, const Mapping& mapping, void* object, Context& context);

// What holds of the policy as a whole.
void check_policy(const Policy& policy, Context& context);

// Reads one text into the policy; the names are checked by the caller when all files are read.
void decode_file(std::string_view text, Policy& policy, Position& daemon_section, Context& context);

}  // namespace raceguard::policy
