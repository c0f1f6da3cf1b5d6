// SPDX-License-Identifier: Apache-2.0
// Fewer returns of a function, and more again.
#include <algorithm>
#include <utility>

#include "daemon/breaker/group_budget.h"
#include "daemon/breaker/percent_text.h"

namespace raceguard::breaker {

void GroupBudget::lower(const Instant& now, const FunctionSpending& spending, std::uint8_t level, const Bound& bound,
                        std::vector<BudgetStep>& steps) {
  const double its_share = static_cast<double>(spending.cost_ns) / bound.cpu_ns;
  std::string reason = fmt::format("its probe took {} of the CPU time of {}, all probes took {} of a budget of {}",
                                   percent(its_share), group_, percent(bound.share()), percent(share_));
  std::vector<Measurement> evidence = {
      {.what = "function_cost_ratio", .value = its_share, .threshold = share_, .samples = spending.returns},
      {.what = "group_cost_ratio", .value = bound.share(), .threshold = share_, .samples = spending.returns}};
  if (level == kSeesNothing) {
    steps.push_back(exempt(now, spending.key, std::move(reason), std::move(evidence)));
    return;
  }
  Function& function = functions_.at(spending.key);
  if (now.monotonic_ns - function.raised_ns < options_.exempt_for_ns && function.raised_ns != 0) {
    function.backoff.note_failed_trial();
  } else {
    function.backoff.note_passed_trial();
  }
  function.level = level;
  function.since = now;
  function.reason = reason;
  function.next_change_ns = now.monotonic_ns + function.backoff.open_time_ns(retry_, now.monotonic_ns);
  steps.push_back(
      {.kind = BudgetStep::Kind::kSample,
       .group = group_,
       .key = spending.key,
       .name = function.name,
       .reason = fmt::format("{}; the return of one call in {} is seen", reason, 1U << kReturnShifts.at(level)),
       .evidence = std::move(evidence),
       .time = now,
       .next_change_ns = function.next_change_ns,
       .return_share = return_share(level)});
}

// No trial is needed: what more returns would take is known from those that are seen.
void GroupBudget::see_more(const Instant& now, std::vector<BudgetStep>& steps) {
  for (auto& [key, function] : functions_) {
    if (function.state != State::kProbed || function.level == kSeesAll || now.monotonic_ns < function.next_change_ns ||
        now.monotonic_ns - function.since.monotonic_ns < std::min(kTrialNs, options_.exempt_for_ns)) {
      continue;
    }
    const auto level = static_cast<std::uint8_t>(function.level - 1);
    const double more_ns = function.recent_full_ns * (return_share(level) - return_share(function.level));
    const double allowed_ns = std::max(recent_allowed_ns_, 1.0);
    const double expected = share_ * (recent_cost_ns_ + more_ns) / allowed_ns;
    const double bound = kRestoreShare * share_;
    if (share_ < 1 && expected > bound) {
      continue;
    }
    function.level = level;
    function.since = now;
    function.raised_ns = now.monotonic_ns;
    function.next_change_ns = 0;
    const std::string seen = level == kSeesAll
                                 ? std::string("every return is")
                                 : fmt::format("the return of one call in {} is", 1U << kReturnShifts.at(level));
    steps.push_back(
        {.kind = BudgetStep::Kind::kSampleMore,
         .group = group_,
         .key = key,
         .name = function.name,
         .reason = fmt::format("with more returns all probes would take {} of the CPU time of {}, below {}; {} seen",
                               percent(expected), group_, percent(bound), seen),
         .evidence = {{.what = "group_cost_ratio",
                       .value = expected,
                       .threshold = bound,
                       .samples = static_cast<std::uint64_t>(function.recent_returns)}},
         .time = now,
         .return_share = return_share(level)});
    return;  // one at a time: the next sample counts with it
  }
}

}  // namespace raceguard::breaker
