// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/target_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "raceguard/error.h"

namespace raceguard::plan {

TargetEntry make_target_entry(const policy::Policy& policy, const targets::Target& target) {
  const policy::Guard& guard = policy.guards[target.guard_index];
  return {.id = target.id,
          .guard_index = target.guard_index,
          .contention = guard.contention.enabled,
          .functions = !guard.functions.empty()};
}

std::vector<const targets::Target*> choose_targets(const policy::Policy& policy,
                                                   std::span<const targets::Target> targets, const ProbePlan& previous,
                                                   const PlanLimits& limits, std::vector<Omission>& omissions) {
  std::set<targets::ProcessId> planned;
  for (const TargetEntry& entry : previous.targets) {
    planned.insert(entry.id);
  }
  std::vector<const targets::Target*> chosen;
  for (const targets::Target& target : targets) {
    if (target.guard_index < policy.guards.size()) {
      chosen.push_back(&target);
    } else {  // targets of a policy that is not this one: the caller has to re-evaluate them first
      const Error error(ErrorCode::kPlanConflict, fmt::format("target {} belongs to guard number {} of {}",
                                                              target.id.pid, target.guard_index, policy.guards.size()));
      omissions.push_back({.guard = target.guard,
                           .what = fmt::format("target {}", target.id.pid),
                           .reason = error.to_string(),
                           .code = error.code()});
    }
  }
  const auto by_id = [](const targets::Target* target) { return target->id; };
  std::ranges::sort(chosen, {}, by_id);
  std::ranges::stable_partition(chosen, [&](const auto* target) { return planned.contains(target->id); });
  std::map<std::string, std::size_t> omitted;
  while (chosen.size() > limits.max_targets) {
    ++omitted[chosen.back()->guard];
    chosen.pop_back();
  }
  for (const auto& [guard, count] : omitted) {
    const Error error(ErrorCode::kPlanLimit,
                      fmt::format("{} processes beyond the limit of {} targets", count, limits.max_targets),
                      "Raise daemon.max_targets and restart raceguardd, or narrow the guard's target");
    omissions.push_back(
        {.guard = guard, .what = fmt::format("{} targets", count), .reason = error.to_string(), .code = error.code()});
  }
  std::ranges::sort(chosen, {}, by_id);
  return chosen;
}

}  // namespace raceguard::plan
