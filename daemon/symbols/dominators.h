// SPDX-License-Identifier: Apache-2.0
// Which nodes of a graph every way from its root to a node passes. After Cooper, Harvey, Kennedy: A Simple, Fast
// Dominance Algorithm (Rice University, TR-06-33870, 2006). With edges turned around and a root that all ends lead to:
// which nodes every way from a node to an end passes (post-dominators).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace raceguard::symbols {

class Dominators {
 public:
  Dominators(const std::vector<std::vector<std::uint32_t>>& next, std::uint32_t root);

  [[nodiscard]] bool reaches(std::uint32_t node) const { return parents_[node] != kNone; }
  // The nearest on every way to `node`, itself not counted; nothing for the root and for what it does not reach.
  [[nodiscard]] std::optional<std::uint32_t> parent(std::uint32_t node) const;
  // True also of a node and itself.
  [[nodiscard]] bool dominates(std::uint32_t dominator, std::uint32_t node) const;
  // The nearest that dominates all of them, which may be one of them; nothing where the root does not reach one.
  [[nodiscard]] std::optional<std::uint32_t> nearest(std::span<const std::uint32_t> nodes) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  [[nodiscard]] std::uint32_t common(std::uint32_t a, std::uint32_t b) const;

  std::uint32_t root_;
  std::vector<std::uint32_t> order_;    // by node: its place in reverse post-order
  std::vector<std::uint32_t> parents_;  // by node; the root's is itself
};

}  // namespace raceguard::symbols
