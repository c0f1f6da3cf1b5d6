// SPDX-License-Identifier: Apache-2.0
// What probes are charged with, held against what their callers feel.
#include <iterator>

#include "daemon/budget_desk.h"
#include "raceguard/stable_hash.h"

namespace raceguard::app {

// Of the functions whose returns can be hidden at no cost: those with a session.
breaker::ModelFigures BudgetDesk::model_figures(const std::string& name, const Group& group) const {
  breaker::ModelFigures figures{
      .cpu_ns = group.cpu.total_ns(sources_.cpu_ns), .return_ns = costs_.return_ns() + program_ns(), .epoch = epoch_};
  for (const auto& [id, account] : accounts_) {
    if (account.probe.guard == name && has_session(account)) {
      figures.calls += account.last.calls;
      figures.returns += account.last.returns;
    }
  }
  return figures;
}

void BudgetDesk::hide_returns(const std::string& name, bool hidden) {
  for (const auto& [id, account] : accounts_) {
    if (account.probe.guard == name && has_session(account)) {
      hidden_changes_.push_back(account.probe);
      if (hidden) {
        hidden_changes_.back().return_shift = RG_RETURNS_NONE;
      }
    }
  }
}

void BudgetDesk::check_models(const breaker::Instant& now, std::vector<breaker::BudgetStep>& steps) {
  if (!sources_.sessions || !costs_.measured()) {
    return;
  }
  for (auto& [name, group] : groups_) {
    if (!group.check) {
      group.check.emplace(seed_ ^ stable_hash(name));
    }
    if (!group.check->wants_figures(now.monotonic_ns)) {
      continue;
    }
    if (group.check->tick(now.monotonic_ns, model_figures(name, group))) {
      hide_returns(name, group.check->returns_hidden());
    }
    auto of_model = governor_.judge_model(now, name, *group.check);
    std::move(of_model.begin(), of_model.end(), std::back_inserter(steps));
  }
}

}  // namespace raceguard::app
