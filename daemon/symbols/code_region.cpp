// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/code_region.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace raceguard::symbols {
namespace {

using Marks = std::vector<bool>;

// What `starts` lead to, themselves included; `stop` is neither marked nor passed.
Marks reach(const Successors& next, std::span<const NodeIndex> starts, NodeIndex stop) {
  Marks marks(next.size());
  std::vector<NodeIndex> left(starts.begin(), starts.end());
  while (!left.empty()) {
    const NodeIndex node = left.back();
    left.pop_back();
    if (node != stop && !marks[node]) {
      marks[node] = true;
      left.insert(left.end(), next[node].begin(), next[node].end());
    }
  }
  return marks;
}

bool leads_to(const Marks& from, NodeIndex to, const Successors& before) {
  return std::ranges::any_of(before[to], [&](NodeIndex node) { return from[node]; });
}

// No way stays within for ever, nor leaves otherwise than by `exit`.
bool always_ends(const FlowGraph& graph, const Successors& before, const Marks& within, NodeIndex exit) {
  std::vector<NodeIndex> ends = {exit};
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    if (!within[node]) {
      continue;
    }
    if (graph.leaves[node]) {
      return false;
    }
    if (graph.next[node].empty()) {
      ends.push_back(node);
    }
  }
  const Marks ending = reach(before, ends, static_cast<NodeIndex>(graph.size()));
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    if (within[node] && !ending[node]) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::size_t count_loops(const FlowGraph& graph, NodeIndex start, const std::vector<bool>& within) {
  enum class Colour : std::uint8_t { kNew, kOnTheWay, kDone };
  std::vector<Colour> colours(graph.size(), Colour::kNew);
  std::vector<std::pair<NodeIndex, std::size_t>> way = {{start, 0}};
  colours[start] = Colour::kOnTheWay;
  std::size_t loops = 0;
  while (!way.empty()) {
    auto& [node, edge] = way.back();
    if (edge == graph.next[node].size()) {
      colours[node] = Colour::kDone;
      way.pop_back();
      continue;
    }
    const NodeIndex to = graph.next[node][edge++];
    if (!within[to]) {
      continue;
    }
    loops += colours[to] == Colour::kOnTheWay ? 1 : 0;
    if (colours[to] == Colour::kNew) {
      colours[to] = Colour::kOnTheWay;
      way.emplace_back(to, 0);
    }
  }
  return loops;
}

std::optional<CodeRegion> code_region(const FlowGraph& graph, const Successors& before, NodeIndex entry, NodeIndex exit,
                                      std::span<const NodeIndex> wanted) {
  if (entry == exit) {
    return std::nullopt;
  }
  const Marks within = reach(graph.next, std::vector{entry}, exit);
  const bool all_within = std::ranges::all_of(wanted, [&](NodeIndex node) { return within[node]; });
  if (!all_within || leads_to(within, entry, before) || !always_ends(graph, before, within, exit)) {
    return std::nullopt;
  }
  const Marks on_from_exit = reach(graph.next, std::vector{exit}, entry);
  const Marks without = reach(graph.next, std::vector<NodeIndex>{0, exit}, entry);
  if (std::ranges::any_of(wanted, [&](NodeIndex node) { return without[node]; })) {
    return std::nullopt;
  }
  CodeRegion region{.loops = count_loops(graph, entry, within), .repeats = leads_to(on_from_exit, entry, before)};
  Marks between = reach(before, before[entry], exit);
  std::size_t calls_between = 0;
  for (NodeIndex node = 0; node < graph.size(); ++node) {
    region.instructions += within[node] ? 1 : 0;
    region.calls += within[node] && graph.calls[node] ? 1 : 0;
    between[node] = on_from_exit[node] && (between[node] || node == exit);
    calls_between += between[node] && graph.calls[node] ? 1 : 0;
  }
  region.works_between_turns = region.repeats && (calls_between > 0 || count_loops(graph, exit, between) > 0);
  return region;
}

}  // namespace raceguard::symbols
