// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/build_plan.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "daemon/plan/function_ids.h"
#include "daemon/plan/guard_plan.h"
#include "daemon/plan/plan_files.h"
#include "daemon/plan/plan_keys.h"
#include "daemon/plan/target_entries.h"

namespace raceguard::plan {
namespace {

// Two guards may name one switch of one binary: it has one word.
void sort_words(std::vector<SwitchWord>& words) {
  std::ranges::sort(words, {}, word_key);
  const auto repeated = std::ranges::unique(words, {}, word_key);
  words.erase(repeated.begin(), repeated.end());
}

}  // namespace

ProbePlan build_plan(const policy::Policy& policy, std::span<const targets::Target> targets, BinarySource& binaries,
                     const ProbePlan& previous, const PlanLimits& limits) {
  ProbePlan plan;
  const auto chosen = choose_targets(policy, targets, previous, limits, plan.omissions);
  PlanFiles files(chosen, previous, binaries);
  std::map<std::uint32_t, std::vector<const targets::Target*>> by_guard;
  for (const targets::Target* target : chosen) {
    plan.targets.push_back(make_target_entry(policy, *target));
    by_guard[target->guard_index].push_back(target);
  }
  for (auto& [guard_index, members] : by_guard) {
    GuardPlan guard(policy.guards[guard_index], guard_index, std::move(members), files);
    guard.plan_functions();
    guard.plan_words();
    std::ranges::move(guard.functions, std::back_inserter(plan.functions));
    std::ranges::move(guard.words, std::back_inserter(plan.words));
    std::ranges::move(guard.omissions, std::back_inserter(plan.omissions));
  }
  sort_words(plan.words);
  assign_function_ids(plan, previous, limits.max_functions);
  binaries.end_plan();
  return plan;
}

}  // namespace raceguard::plan
