// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/difference.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "daemon/plan/plan_keys.h"

namespace raceguard::plan {
namespace {

bool same_tests(const std::vector<policy::ErrorTest>& left, const std::vector<policy::ErrorTest>& right) {
  return std::ranges::equal(left, right, [](const policy::ErrorTest& one, const policy::ErrorTest& other) {
    return std::tie(one.comparison, one.operand, one.bits, one.is_signed) ==
           std::tie(other.comparison, other.operand, other.bits, other.is_signed);
  });
}

bool same_settings(const FunctionProbe& left, const FunctionProbe& right) {
  return std::tie(left.guard_index, left.host_path, left.slow_ns, left.object_argument, left.return_shift) ==
             std::tie(right.guard_index, right.host_path, right.slow_ns, right.object_argument, right.return_shift) &&
         same_tests(left.error, right.error);
}

template <typename Value, typename Project>
auto index(const std::vector<Value>& values, Project project) {
  std::map<std::decay_t<decltype(project(values.front()))>, const Value*> result;
  for (const Value& value : values) {
    result.emplace(project(value), &value);
  }
  return result;
}

void compare_targets(const ProbePlan& old_plan, const ProbePlan& new_plan, PlanDifference& result) {
  const auto id_of = [](const TargetEntry& entry) { return entry.id; };
  const auto before = index(old_plan.targets, id_of);
  const auto after = index(new_plan.targets, id_of);
  for (const auto& [id, entry] : before) {
    if (!after.contains(id)) {
      result.remove_targets.push_back(id);
    }
  }
  for (const auto& [id, entry] : after) {
    const auto known = before.find(id);
    if (known == before.end() || *known->second != *entry) {
      result.add_targets.push_back(*entry);
    }
  }
}

void compare_functions(const ProbePlan& old_plan, const ProbePlan& new_plan, PlanDifference& result) {
  const auto id_of = [](const FunctionProbe& probe) { return probe.function_id; };
  const auto before = index(old_plan.functions, id_of);
  const auto after = index(new_plan.functions, id_of);
  for (const auto& [id, probe] : before) {
    const auto next = after.find(id);
    if (next == after.end() || attachment_key(*next->second) != attachment_key(*probe)) {
      result.remove_functions.push_back(id);
    }
  }
  for (const auto& [id, probe] : after) {
    const auto known = before.find(id);
    if (known == before.end() || attachment_key(*known->second) != attachment_key(*probe)) {
      result.add_functions.push_back(*probe);
    } else if (!same_settings(*known->second, *probe)) {
      result.update_functions.push_back(*probe);
    }
  }
}

void compare_words(const ProbePlan& old_plan, const ProbePlan& new_plan, PlanDifference& result) {
  const auto before = index(old_plan.words, word_key);
  const auto after = index(new_plan.words, word_key);
  for (const auto& [id, word] : before) {
    if (!after.contains(id)) {
      result.remove_words.push_back(*word);
    }
  }
  for (const auto& [id, word] : after) {
    const auto known = before.find(id);
    if (known == before.end()) {
      result.add_words.push_back(*word);
    } else if (known->second->host_path != word->host_path) {
      result.update_words.push_back(*word);
    }
  }
}

}  // namespace

PlanDifference difference(const ProbePlan& old_plan, const ProbePlan& new_plan) {
  PlanDifference result;
  compare_targets(old_plan, new_plan, result);
  compare_functions(old_plan, new_plan, result);
  compare_words(old_plan, new_plan, result);
  return result;
}

}  // namespace raceguard::plan
