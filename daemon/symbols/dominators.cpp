// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/dominators.h"

#include <algorithm>
#include <utility>

namespace raceguard::symbols {
namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

std::vector<std::uint32_t> reverse_post_order(const Edges& next, std::uint32_t root) {
  std::vector<std::uint32_t> order;
  std::vector<bool> seen(next.size());
  std::vector<std::pair<std::uint32_t, std::size_t>> way = {{root, 0}};  // each with the edge to go next
  seen[root] = true;
  while (!way.empty()) {
    auto& [node, edge] = way.back();
    if (edge == next[node].size()) {
      order.push_back(node);
      way.pop_back();
      continue;
    }
    const std::uint32_t to = next[node][edge++];
    if (!seen[to]) {
      seen[to] = true;
      way.emplace_back(to, 0);
    }
  }
  std::ranges::reverse(order);
  return order;
}

}  // namespace

Dominators::Dominators(const Edges& next, std::uint32_t root)
    : root_(root), order_(next.size(), kNone), parents_(next.size(), kNone) {
  const std::vector<std::uint32_t> nodes = reverse_post_order(next, root);
  for (std::uint32_t place = 0; place < nodes.size(); ++place) {
    order_[nodes[place]] = place;
  }
  parents_[root] = root;
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::uint32_t from : nodes) {
      if (parents_[from] == kNone) {
        continue;
      }
      for (const std::uint32_t to : next[from]) {
        const std::uint32_t parent = to == root ? root : parents_[to] == kNone ? from : common(parents_[to], from);
        changed = changed || parent != parents_[to];
        parents_[to] = parent;
      }
    }
  }
}

std::uint32_t Dominators::common(std::uint32_t a, std::uint32_t b) const {
  while (a != b) {
    while (order_[a] > order_[b]) {
      a = parents_[a];
    }
    while (order_[b] > order_[a]) {
      b = parents_[b];
    }
  }
  return a;
}

std::optional<std::uint32_t> Dominators::parent(std::uint32_t node) const {
  return node == root_ || parents_[node] == kNone ? std::nullopt : std::optional(parents_[node]);
}

bool Dominators::dominates(std::uint32_t dominator, std::uint32_t node) const {
  if (!reaches(node) || !reaches(dominator)) {
    return false;
  }
  while (order_[node] > order_[dominator]) {
    node = parents_[node];
  }
  return node == dominator;
}

std::optional<std::uint32_t> Dominators::nearest(std::span<const std::uint32_t> nodes) const {
  std::optional<std::uint32_t> found;
  for (const std::uint32_t node : nodes) {
    if (!reaches(node)) {
      return std::nullopt;
    }
    found = found ? common(*found, node) : node;
  }
  return found;
}

}  // namespace raceguard::symbols
