// SPDX-License-Identifier: Apache-2.0
// A YAML text as a plain tree with positions. Stricter than YAML: no duplicate keys (yaml-cpp 0.7 accepts them
// silently), no anchors, aliases or tags, one document, bounded size, depth and number of nodes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/load.h"

namespace raceguard::policy {

inline constexpr std::size_t kMaxFileBytes = 1U << 20U;
inline constexpr std::size_t kMaxNodes = 50'000;  // 512 functions and their switches need about 10,000
inline constexpr std::size_t kMaxDepth = 16;      // a valid policy needs 7

enum class NodeKind { kNull, kScalar, kList, kMapping };

struct Node {
  NodeKind kind = NodeKind::kNull;
  bool quoted = false;  // scalar in quotes or a block: never a number
  std::string text;     // of a scalar
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  std::string key;  // of a mapping's member
  std::uint32_t key_line = 0;
  std::uint32_t key_column = 0;

  std::vector<Node> children;  // items of a list, members of a mapping

  [[nodiscard]] const Node* find(std::string_view name) const;  // member of a mapping, or nullptr
};

// Adds what is wrong with the text to `errors`. The tree is worth decoding only if true is returned.
bool parse_document(std::string_view text, const std::string& file_name, Node& root, PolicyErrors& errors);

}  // namespace raceguard::policy
