// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/dominators.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>

namespace raceguard::symbols {
namespace {

using Edges = std::vector<std::vector<std::uint32_t>>;

// By its definition: without `dominator` the root does not reach `node`.
bool is_dominated(const Edges& next, std::uint32_t root, std::uint32_t dominator, std::uint32_t node) {
  std::vector<bool> seen(next.size());
  std::vector<std::uint32_t> left = {root};
  while (!left.empty()) {
    const std::uint32_t here = left.back();
    left.pop_back();
    if (here != dominator && !seen[here]) {
      seen[here] = true;
      left.insert(left.end(), next[here].begin(), next[here].end());
    }
  }
  return !seen[node];
}

TEST(Dominators, Diamond) {
  const Dominators tree({{1, 2}, {3}, {3}, {}}, 0);
  EXPECT_EQ(tree.parent(3), 0U);
  EXPECT_FALSE(tree.dominates(1, 3));
  EXPECT_TRUE(tree.dominates(0, 3));
  EXPECT_TRUE(tree.dominates(3, 3));
  EXPECT_FALSE(tree.parent(0));
  EXPECT_EQ(tree.nearest(std::vector<std::uint32_t>{1, 2}), 0U);
  EXPECT_EQ(tree.nearest(std::vector<std::uint32_t>{3}), 3U);
}

TEST(Dominators, LoopAndWhatIsNotReached) {
  const Dominators tree({{1}, {2}, {1, 3}, {}, {3}}, 0);
  EXPECT_EQ(tree.parent(3), 2U);
  EXPECT_EQ(tree.parent(2), 1U);
  EXPECT_FALSE(tree.reaches(4));
  EXPECT_FALSE(tree.nearest(std::vector<std::uint32_t>{3, 4}));
  EXPECT_FALSE(tree.dominates(4, 3));
}

TEST(Dominators, AsDefinedOnRandomGraphs) {
  std::mt19937 random(7);
  const auto below = [&](std::uint32_t limit) {
    return std::uniform_int_distribution<std::uint32_t>(0, limit - 1)(random);
  };
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t size = 2 + below(14);
    Edges next(size);
    for (std::uint32_t edge = 0; edge < size * 2; ++edge) {
      next[below(size)].push_back(below(size));
    }
    const Dominators tree(next, 0);
    for (std::uint32_t node = 0; node < size; ++node) {
      for (std::uint32_t dominator = 0; dominator < size; ++dominator) {
        if (tree.reaches(node) && tree.reaches(dominator)) {
          ASSERT_EQ(tree.dominates(dominator, node), is_dominated(next, 0, dominator, node))
              << "round " << round << ": " << dominator << " of " << node;
        }
      }
    }
  }
}

}  // namespace
}  // namespace raceguard::symbols
