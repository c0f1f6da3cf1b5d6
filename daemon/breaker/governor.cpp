// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/governor.h"

#include <iterator>
#include <utility>

#include "raceguard/stable_hash.h"

namespace raceguard::breaker {

void Governor::set_budgets(const std::map<std::string, double>& shares) {
  std::erase_if(groups_, [&](const auto& entry) {
    const auto share = shares.find(entry.first);
    return share == shares.end() || share->second != entry.second.share();
  });
  for (const auto& [group, share] : shares) {
    groups_.try_emplace(group, group, share, options_, seed_ ^ stable_hash(group));
  }
}

std::vector<BudgetStep> Governor::tick(const Instant& now, std::int64_t elapsed_ns, const GroupSpendings& groups,
                                       const Handling& handling) {
  std::vector<BudgetStep> steps;
  if (auto step = fuse_.tick(now, elapsed_ns, handling)) {
    steps.push_back(std::move(*step));
  }
  if (fuse_.state() == HandlingFuse::State::kOpen) {
    return steps;
  }
  for (auto& [name, group] : groups_) {
    const auto spending = groups.find(name);
    auto of_group = group.tick(now, spending == groups.end() ? nullptr : &spending->second);
    std::move(of_group.begin(), of_group.end(), std::back_inserter(steps));
  }
  return steps;
}

}  // namespace raceguard::breaker
