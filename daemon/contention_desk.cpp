// SPDX-License-Identifier: Apache-2.0
#include "daemon/contention_desk.h"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/detect/counters.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kSamplePeriodNs = kNsPerSecond;

// The mean of the runs that were timed, times all.
double program_ns(const rg_program_runs& now, const rg_program_runs& last) {
  const auto runs = static_cast<double>(detect::added_count(now.runs, last.runs));
  return now.timed == 0 ? 0 : runs * static_cast<double>(now.timed_ns) / static_cast<double>(now.timed);
}

}  // namespace

ContentionDesk::ContentionDesk(const policy::Policy& policy, const Clock& clock, TargetCpu::Read cpu_ns)
    : clock_(clock), cpu_ns_(std::move(cpu_ns)), ticked_ns_(clock.monotonic_ns()) {
  reload(policy);
}

void ContentionDesk::reload(const policy::Policy& policy) {
  guards_.clear();
  std::map<std::string, Account> accounts;
  for (const policy::Guard& guard : policy.guards) {
    guards_.push_back(guard.name);
    if (!guard.contention.enabled) {
      continue;
    }
    const auto known = accounts_.find(guard.name);
    Account account = known != accounts_.end()
                          ? std::move(known->second)
                          : Account{.duty = breaker::ContentionDuty(guard.name, guard.contention.budget)};
    if (account.duty.share() != guard.contention.budget) {
      account.duty = breaker::ContentionDuty(guard.name, guard.contention.budget);
    }
    account.totals.guard = guard.name;
    account.totals.limit = guard.contention.budget;
    accounts.emplace(guard.name, std::move(account));
  }
  accounts_ = std::move(accounts);
}

void ContentionDesk::follow(const plan::ProbePlan& plan) {
  std::map<std::string, std::vector<plan::TargetEntry>> entries;
  for (const plan::TargetEntry& entry : plan.targets) {
    if (entry.contention) {
      entries[guards_.at(entry.guard_index)].push_back(entry);
    }
  }
  for (auto& [name, account] : accounts_) {
    std::set<targets::ProcessId> processes;
    for (const plan::TargetEntry& entry : entries[name]) {
      processes.insert(entry.id);
    }
    account.cpu.follow(processes, cpu_ns_);
    if (account.targets != entries[name]) {
      account.targets = std::move(entries[name]);
      account.told_resting = false;  // the plan's own entries are in force
    }
  }
}

std::int64_t ContentionDesk::charge(Account& account, const rg_contention_counters& now, std::size_t guard_index,
                                    double hook_ns) {
  const rg_contention_counters& last = last_.at(guard_index);
  const std::uint64_t calls =
      detect::added_count(now.calls.runs, last.calls.runs) + detect::added_count(now.resting_calls, last.resting_calls);
  account.totals.calls += calls;
  return static_cast<std::int64_t>(static_cast<double>(calls) * hook_ns + program_ns(now.calls, last.calls) +
                                   program_ns(now.waits, last.waits));
}

bool ContentionDesk::is_due() const { return clock_.monotonic_ns() - ticked_ns_ >= kSamplePeriodNs; }

std::vector<breaker::BudgetStep> ContentionDesk::tick(std::span<const rg_contention_counters> counted, double hook_ns) {
  const breaker::Instant now{.monotonic_ns = clock_.monotonic_ns(), .realtime_ns = clock_.realtime_ns()};
  const std::int64_t elapsed_ns = now.monotonic_ns - std::exchange(ticked_ns_, now.monotonic_ns);
  last_.resize(counted.size());
  std::vector<breaker::BudgetStep> steps;
  for (std::size_t i = 0; i < std::min(counted.size(), guards_.size()); ++i) {
    const auto found = accounts_.find(guards_[i]);
    if (found == accounts_.end()) {
      continue;
    }
    Account& account = found->second;
    const Spent spent{.cost_ns = charge(account, counted[i], i, hook_ns), .cpu_ns = account.cpu.take_used_ns(cpu_ns_)};
    account.recent.add(now.monotonic_ns, spent);
    account.totals.cost_ns += spent.cost_ns;
    account.totals.cpu_ns += spent.cpu_ns;
    if (auto step =
            account.duty.tick(now, {.elapsed_ns = elapsed_ns, .cost_ns = spent.cost_ns, .cpu_ns = spent.cpu_ns})) {
      const bool less = step->kind == breaker::BudgetStep::Kind::kWatchLess;
      ++(less ? account.totals.steps_less : account.totals.steps_more);
      steps.push_back(std::move(*step));
    }
  }
  last_.assign(counted.begin(), counted.end());
  return steps;
}

std::vector<plan::TargetEntry> ContentionDesk::take_changes() {
  std::vector<plan::TargetEntry> changes;
  for (auto& [name, account] : accounts_) {
    if (account.told_resting == account.duty.resting()) {
      continue;
    }
    account.told_resting = account.duty.resting();
    for (plan::TargetEntry entry : account.targets) {
      entry.contention_rests = account.told_resting;
      changes.push_back(entry);
    }
  }
  return changes;
}

bool ContentionDesk::all_rest() const {
  return !accounts_.empty() &&
         std::ranges::all_of(accounts_, [](const auto& entry) { return entry.second.duty.resting(); });
}

std::vector<exporting::ContentionBudgetView> ContentionDesk::view() const {
  std::vector<exporting::ContentionBudgetView> views;
  for (const auto& [name, account] : accounts_) {
    views.push_back(account.totals);
    views.back().share = account.recent.sum(clock_.monotonic_ns()).share();
    views.back().watched_share = account.duty.watched_share();
    views.back().resting = account.duty.resting();
  }
  return views;
}

}  // namespace raceguard::app
