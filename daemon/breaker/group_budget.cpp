// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/group_budget.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "daemon/breaker/exemption_times.h"
#include "daemon/breaker/percent_text.h"
#include "raceguard/stable_hash.h"

namespace raceguard::breaker {
namespace {

double error_ratio(double errors, double returns) { return returns > 0 ? std::min(1.0, errors / returns) : 0; }

}  // namespace

GroupBudget::GroupBudget(std::string group, double share, const GovernorOptions& options, std::uint64_t seed)
    : group_(std::move(group)), share_(share), options_(options), retry_(exemption_times(options)), seed_(seed) {}

std::vector<BudgetStep> GroupBudget::tick(const Instant& now, const GroupSpending* spending) {
  std::vector<BudgetStep> steps;
  if (spending != nullptr) {
    take_in(now, *spending);
    shed(now, *spending, steps);
    judge_errors(now, *spending, steps);
    if (steps.empty()) {
      see_more(now, steps);
    }
  }
  judge_trial(now, steps);
  if (steps.empty()) {
    begin_trial(now, steps);
  }
  return steps;
}

GroupBudget::Bound GroupBudget::bound_of(const GroupSpending& spending) const {
  Bound bound{.elapsed_ns = spending.elapsed_ns};
  for (const FunctionSpending& function : spending.functions) {
    const auto found = functions_.find(function.key);
    // What is still counted of an exempt function was before its probe went.
    bound.cost_ns += found != functions_.end() && found->second.state == State::kExempt ? 0 : function.cost_ns;
  }
  bound.cpu_ns =
      std::max(static_cast<double>(spending.cpu_ns), kLeastCpuShare * static_cast<double>(spending.elapsed_ns));
  bound.allowed_ns = share_ * bound.cpu_ns;
  return bound;
}

void GroupBudget::take_in(const Instant& now, const GroupSpending& spending) {
  std::erase_if(functions_, [&](const auto& entry) {
    return entry.second.state == State::kProbed && entry.second.level == kSeesAll &&
           std::ranges::find(spending.functions, entry.first, &FunctionSpending::key) == spending.functions.end();
  });
  const double kept = std::exp(-static_cast<double>(spending.elapsed_ns) / static_cast<double>(kErrorWindowNs));
  for (const FunctionSpending& seen : spending.functions) {
    auto [entry, is_new] = functions_.try_emplace(
        seen.key, Function{.name = seen.name, .since = now, .backoff = Backoff(seed_ ^ stable_hash(seen.key))});
    Function& function = entry->second;
    function.recent_returns = function.recent_returns * kept + static_cast<double>(seen.returns);
    function.recent_errors = function.recent_errors * kept + static_cast<double>(seen.errors);
    function.recent_full_ns =
        function.recent_full_ns * kept + static_cast<double>(seen.returns_ns) / return_share(function.level);
    function.trial_returns += seen.returns;
    function.can_sample = seen.can_sample;
  }
  const Bound bound = bound_of(spending);
  recent_cost_ns_ = recent_cost_ns_ * kept + static_cast<double>(bound.cost_ns);
  recent_allowed_ns_ = recent_allowed_ns_ * kept + bound.allowed_ns;
  debt_ns_ = std::max(0.0, debt_ns_ + static_cast<double>(bound.cost_ns) - bound.allowed_ns);
  trial_.cost_ns += bound.cost_ns;
  trial_.cpu_ns += bound.cpu_ns;
  trial_.elapsed_ns += bound.elapsed_ns;
}

// Who came back last goes first, if the others fit without it; else the dearest of this sample.
void GroupBudget::shed(const Instant& now, const GroupSpending& spending, std::vector<BudgetStep>& steps) {
  const Bound bound = bound_of(spending);
  const double credit_ns =
      bound.elapsed_ns > 0 ? bound.allowed_ns * static_cast<double>(kCreditNs) / static_cast<double>(bound.elapsed_ns)
                           : 0;
  if (share_ >= 1 || debt_ns_ <= credit_ns) {
    return;
  }
  std::vector<const FunctionSpending*> dearest;
  for (const FunctionSpending& function : spending.functions) {
    if (functions_.at(function.key).state != State::kExempt && function.cost_ns > 0) {
      dearest.push_back(&function);
    }
  }
  const auto trial = on_trial();
  const auto fits_without = [&](const FunctionSpending& function) {
    return static_cast<double>(bound.cost_ns - function.cost_ns) <= bound.allowed_ns;
  };
  std::ranges::sort(dearest, std::greater<>(), [&](const FunctionSpending* function) {
    return std::pair(function->key == trial && fits_without(*function), function->cost_ns);
  });
  std::vector<Spender> spenders;
  for (const FunctionSpending* function : dearest) {
    spenders.push_back({.cost_ns = static_cast<double>(function->cost_ns),
                        .returns_ns = static_cast<double>(function->can_sample ? function->returns_ns : 0),
                        .level = functions_.at(function->key).level});
  }
  const bool trial_goes = trial && !dearest.empty() && dearest.front()->key == *trial;
  const auto levels = levels_that_fit(spenders, bound.allowed_ns, kRestoreShare * bound.allowed_ns, trial_goes);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (levels[i] != spenders[i].level) {
      lower(now, *dearest[i], levels[i], bound, steps);
    }
  }
  debt_ns_ = 0;
}

void GroupBudget::judge_errors(const Instant& now, const GroupSpending& spending, std::vector<BudgetStep>& steps) {
  if (options_.exempt_error_ratio >= 1) {
    return;
  }
  for (const FunctionSpending& seen : spending.functions) {
    const Function& function = functions_.at(seen.key);
    const double ratio = error_ratio(function.recent_errors, function.recent_returns);
    if (seen.exempt_for_errors && function.state != State::kExempt && ratio > options_.exempt_error_ratio &&
        function.recent_returns >= options_.exempt_minimum_calls) {
      steps.push_back(exempt(
          now, seen.key,
          fmt::format("{} of its calls failed, more than {}", percent(ratio), percent(options_.exempt_error_ratio)),
          {{.what = "error_ratio",
            .value = ratio,
            .threshold = options_.exempt_error_ratio,
            .samples = static_cast<std::uint64_t>(function.recent_returns)}}));
    }
  }
}

std::optional<std::string> GroupBudget::on_trial() const {
  const auto found =
      std::ranges::find_if(functions_, [](const auto& entry) { return entry.second.state == State::kTrial; });
  return found == functions_.end() ? std::nullopt : std::optional(found->first);
}

void GroupBudget::judge_trial(const Instant& now, std::vector<BudgetStep>& steps) {
  const auto key = on_trial();
  if (!key || now.monotonic_ns < functions_.at(*key).next_change_ns) {
    return;
  }
  Function& function = functions_.at(*key);
  const double bound = kRestoreShare * share_;
  const std::vector<Measurement> evidence = {
      {.what = "group_cost_ratio", .value = trial_.share(), .threshold = bound, .samples = function.trial_returns}};
  if (share_ < 1 && trial_.share() > bound) {
    steps.push_back(exempt(now, *key,
                           fmt::format("on trial, all probes took {} of the CPU time of {}: {} is allowed to return",
                                       percent(trial_.share()), group_, percent(bound)),
                           evidence));
    return;
  }
  if (function.trial_returns > 0) {
    function.backoff.note_passed_trial();
  }
  function.state = State::kProbed;
  function.since = now;
  function.next_change_ns = 0;
  if (function.level == kSeesAll) {
    function.reason.clear();
  }
  steps.push_back({.kind = BudgetStep::Kind::kRestore,
                   .group = group_,
                   .key = *key,
                   .name = function.name,
                   .reason = fmt::format("on trial, all probes took {} of the CPU time of {}: below {}",
                                         percent(trial_.share()), group_, percent(bound)),
                   .evidence = evidence,
                   .time = now});
}

// One at a time: two that come back together would be judged for each other.
void GroupBudget::begin_trial(const Instant& now, std::vector<BudgetStep>& steps) {
  if (on_trial()) {
    return;
  }
  auto due = functions_.end();
  for (auto entry = functions_.begin(); entry != functions_.end(); ++entry) {
    const Function& function = entry->second;
    if (function.state == State::kExempt && function.next_change_ns <= now.monotonic_ns &&
        (due == functions_.end() || function.next_change_ns < due->second.next_change_ns)) {
      due = entry;
    }
  }
  if (due == functions_.end()) {
    return;
  }
  Function& function = due->second;
  function.state = State::kTrial;
  function.since = now;
  function.next_change_ns = now.monotonic_ns + std::min(kTrialNs, options_.exempt_for_ns);
  function.level = function.can_sample ? kSeesLeast : kSeesAll;  // as cheap as it can be; more by see_more()
  function.trial_returns = 0;
  function.recent_full_ns = 0;
  function.recent_returns = 0;
  function.recent_errors = 0;
  trial_ = {};
  steps.push_back({.kind = BudgetStep::Kind::kTry,
                   .group = group_,
                   .key = due->first,
                   .name = function.name,
                   .reason = "its time off is over",
                   .evidence = {},
                   .time = now,
                   .next_change_ns = function.next_change_ns});
}

BudgetStep GroupBudget::exempt(const Instant& now, const std::string& key, std::string reason,
                               std::vector<Measurement> evidence) {
  Function& function = functions_.at(key);
  if (function.state == State::kTrial) {
    function.backoff.note_failed_trial();
  }
  function.state = State::kExempt;
  function.since = now;
  function.reason = reason;
  function.next_change_ns = now.monotonic_ns + function.backoff.open_time_ns(retry_, now.monotonic_ns);
  return {.kind = BudgetStep::Kind::kExempt,
          .group = group_,
          .key = key,
          .name = function.name,
          .reason = std::move(reason),
          .evidence = std::move(evidence),
          .time = now,
          .next_change_ns = function.next_change_ns};
}

}  // namespace raceguard::breaker
