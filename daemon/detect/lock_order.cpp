// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_order.h"

#include <algorithm>
#include <functional>

namespace raceguard::detect {
namespace {

constexpr std::size_t kMaxSteps = 100'000;  // of one search: a graph of a few thousand orders takes a hundredth

using Path = std::vector<const LockOrder*>;
using Graph = std::map<std::uint64_t, std::map<std::uint64_t, Path>>;  // held -> wanted -> orders, most seen first

bool share_a_gate(const LockOrder& a, const LockOrder& b) {
  return std::any_of(a.gates.begin(), a.gates.end(), [&](std::uint64_t gate) { return b.gates.contains(gate); });
}

// See the header: in one burst by two threads, or one of them by two threads itself.
bool share_no_unseen_gate(const LockOrder& a, const LockOrder& b) {
  if (a.by_two_at_once || b.by_two_at_once) {
    return true;
  }
  return std::any_of(a.bursts.begin(), a.bursts.end(), [&](const auto& burst) {
    const auto other = b.bursts.find(burst.first);
    return other != b.bursts.end() && burst.second != other->second;  // of one thread each
  });
}

// Who wants what the other one holds waits for it.
bool waits_for(const LockOrder& one, const LockOrder& next) {
  return !one.key.wanted_for_reading || !next.key.held_for_reading;
}

// Each order can be another thread's at the same time.
bool has_threads(const Path& path, std::size_t at, std::set<std::uint32_t>& taken) {
  if (at == path.size()) {
    return true;
  }
  for (const std::uint32_t thread : path[at]->threads) {
    if (taken.insert(thread).second) {
      if (has_threads(path, at + 1, taken)) {
        return true;
      }
      taken.erase(thread);
    }
  }
  return false;
}

class Search {
 public:
  explicit Search(const Graph& graph) : graph_(graph) {}

  std::vector<LockCycle> run() {
    for (const auto& [lock, wanted] : graph_) {
      first_ = lock;
      step(lock);
    }
    return std::move(found_);
  }

 private:
  void step(std::uint64_t lock) {
    const auto from = graph_.find(lock);
    if (from == graph_.end() || path_.size() >= kMaxCycleLength) {
      return;
    }
    for (const auto& [next, orders] : from->second) {
      if (found_.size() >= kMaxCycles || ++steps_ > kMaxSteps) {
        return;
      }
      if (next < first_ || (next != first_ && is_on_path(next))) {
        continue;
      }
      for (const LockOrder* order : orders) {
        if (may_follow(*order)) {
          path_.push_back(order);
          next == first_ ? close() : step(next);
          path_.pop_back();
        }
      }
    }
  }

  [[nodiscard]] bool is_on_path(std::uint64_t lock) const {
    return std::any_of(path_.begin(), path_.end(), [&](const LockOrder* order) { return order->key.held == lock; });
  }

  [[nodiscard]] bool may_follow(const LockOrder& order) const {
    return (path_.empty() || waits_for(*path_.back(), order)) &&
           std::all_of(path_.begin(), path_.end(), [&](const LockOrder* other) {
             return !share_a_gate(*other, order) && share_no_unseen_gate(*other, order);
           });
  }

  void close() {
    std::set<std::uint32_t> taken;
    if (!waits_for(*path_.back(), *path_.front()) || !has_threads(path_, 0, taken)) {
      return;
    }
    std::vector<std::uint64_t> locks;
    LockCycle cycle;
    for (const LockOrder* order : path_) {
      locks.push_back(order->key.held);
      cycle.orders.push_back(*order);
    }
    if (known_.insert(locks).second) {
      found_.push_back(std::move(cycle));
    }
  }

  const Graph& graph_;
  std::uint64_t first_ = 0;
  Path path_;
  std::size_t steps_ = 0;
  std::set<std::vector<std::uint64_t>> known_;
  std::vector<LockCycle> found_;
};

}  // namespace

void LockOrderGraph::add(const LockOrder& order) {
  const bool by_two =
      std::any_of(order.bursts.begin(), order.bursts.end(), [](const auto& burst) { return burst.second.size() > 1; });
  const auto known = orders_.find(order.key);
  if (known == orders_.end()) {
    if (orders_.size() >= most_) {
      ++forgotten_;
      return;
    }
    orders_.emplace(order.key, order).first->second.by_two_at_once = by_two;
    return;
  }
  LockOrder& sum = known->second;
  sum.count += order.count;
  sum.by_two_at_once = sum.by_two_at_once || by_two;
  sum.last_ns = std::max(sum.last_ns, order.last_ns);
  for (const auto& [burst, threads] : order.bursts) {
    sum.bursts[burst].insert(threads.begin(), threads.end());
  }
  while (sum.bursts.size() > kMaxBurstsOfAnOrder) {
    sum.bursts.erase(sum.bursts.begin());
  }
  std::erase_if(sum.gates, [&](std::uint64_t gate) { return !order.gates.contains(gate); });
  for (const std::uint32_t thread : order.threads) {
    if (sum.threads.size() < kMaxCycleLength) {
      sum.threads.insert(thread);
    }
  }
}

std::vector<LockCycle> LockOrderGraph::cycles() const {
  Graph graph;
  for (const auto& [key, order] : orders_) {
    if (key.held != key.wanted) {
      graph[key.held][key.wanted].push_back(&order);
    }
  }
  for (auto& [held, wanted] : graph) {
    for (auto& [lock, orders] : wanted) {
      std::stable_sort(orders.begin(), orders.end(),
                       [](const LockOrder* a, const LockOrder* b) { return a->count > b->count; });
    }
  }
  return Search(graph).run();
}

}  // namespace raceguard::detect
