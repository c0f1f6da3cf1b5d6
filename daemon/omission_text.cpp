// SPDX-License-Identifier: Apache-2.0
#include "daemon/omission_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

std::string prefix(const policy::Position& position) {
  return position.line == 0 ? "" : fmt::format("{}:{}:{}: ", position.file, position.line, position.column);
}

// Of the function if the omission is about one, else of its guard.
policy::Position position_of(const policy::Policy& policy, const plan::Omission& omission) {
  const auto guard = std::ranges::find(policy.guards, omission.guard, &policy::Guard::name);
  if (guard == policy.guards.end()) {
    return {};
  }
  const auto function = std::ranges::find_if(guard->functions, [&](const policy::FunctionGuard& entry) {
    return omission.what == "function " + entry.symbol_glob;
  });
  return function == guard->functions.end() ? guard->position : function->position;
}

}  // namespace

std::string omission_text(const policy::Policy& policy, const plan::Omission& omission) {
  return fmt::format("{}policy {}: {}: {}", prefix(position_of(policy, omission)), omission.guard, omission.what,
                     omission.reason);
}

std::vector<std::string> guards_without_target(const policy::Policy& policy, const plan::ProbePlan& plan) {
  std::vector<std::string> texts;
  for (std::size_t index = 0; index < policy.guards.size(); ++index) {
    const policy::Guard& guard = policy.guards[index];
    if (std::ranges::find(plan.targets, index, &plan::TargetEntry::guard_index) == plan.targets.end()) {
      texts.push_back(
          fmt::format("{}policy {}: no running process matches its target", prefix(guard.position), guard.name));
    }
  }
  return texts;
}

}  // namespace raceguard::app
