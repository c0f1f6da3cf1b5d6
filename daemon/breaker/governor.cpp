// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/governor.h"

#include <iterator>
#include <utility>

#include "daemon/breaker/percent_text.h"
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

std::vector<BudgetStep> Governor::judge_model(const Instant& now, const std::string& group, ModelCheck& check) {
  constexpr double kNever = 1000;
  const double limit = groups_.at(group).share();
  if (fuse_.state() == HandlingFuse::State::kOpen || options_.fuse_model_error >= kNever || limit >= 1) {
    return {};
  }
  const auto wrong = check.found_wrong(options_.fuse_model_error, limit);
  if (!wrong) {
    return {};
  }
  return {fuse_.blow(
      now,
      fmt::format("{} feels its probes {:.3g} times as much as they are charged with, {:.3g} times at least; {} of its "
                  "CPU time at least for returns alone, of a budget of {}",
                  group, wrong->felt, wrong->lower, percent(wrong->lower_share), percent(limit)),
      {{.what = "model_error_times",
        .value = wrong->lower,
        .threshold = options_.fuse_model_error,
        .samples = wrong->pairs},
       {.what = "felt_cost_ratio", .value = wrong->lower_share, .threshold = limit, .samples = wrong->pairs}})};
}

}  // namespace raceguard::breaker
