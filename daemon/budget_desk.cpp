// SPDX-License-Identifier: Apache-2.0
#include "daemon/budget_desk.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "daemon/detect/counters.h"
#include "daemon/process_cpu.h"

namespace raceguard::app {
namespace {

using breaker::BudgetStep;
using breaker::GroupBudget;

// CPU times are read when a budget could be overspent; else as often as this, for the figures.
constexpr std::int64_t kSamplePeriodNs = kNsPerSecond;

breaker::GovernorOptions options_of(const policy::DaemonSettings& settings) {
  return {.exempt_for_ns = settings.exempt_for_ns,
          .exempt_error_ratio = settings.exempt_error_ratio,
          .exempt_minimum_calls = settings.exempt_minimum_calls,
          .fuse_handling_ns = settings.fuse_handling_ns,
          .fuse_model_error = static_cast<double>(settings.fuse_model_error)};
}

// The same function in the same file is the same one, in whichever slot of the kernel's it is.
std::string key_of(const plan::FunctionProbe& probe) {
  return fmt::format("{}/{}/{}/{:x}/{}:{}/{:x}", probe.guard, probe.name, probe.symbol.name, probe.symbol.address,
                     probe.binary.device, probe.binary.inode, probe.site.file_offset);
}

Error left_out_error(std::string what) {
  return Error(ErrorCode::kBudgetExceeded, std::move(what),
               "It is tried again by itself; a higher budget of the policy brings it back at the next reload");
}

exporting::ExemptionView::State limit_of(const GroupBudget::Function& function) {
  switch (function.state) {
    case GroupBudget::State::kExempt:
      return exporting::ExemptionView::State::kExempt;
    case GroupBudget::State::kTrial:
      return exporting::ExemptionView::State::kTrial;
    case GroupBudget::State::kProbed:
      break;
  }
  return exporting::ExemptionView::State::kSampled;
}

std::int64_t to_ns(double ns) { return static_cast<std::int64_t>(ns); }

}  // namespace

// The search for races calibrates watchpoints itself, where a policy has one.
BudgetSources BudgetSources::of_this_machine(bool sessions) {
  return {.calibrate = [] { return kernel::calibrate({.watchpoint = false}); },
          .cpu_ns = process_cpu_ns,
          .sessions = sessions};
}

BudgetDesk::BudgetDesk(const policy::Policy& policy, const Clock& clock, std::uint64_t seed, BudgetSources sources)
    : clock_(clock),
      sources_(std::move(sources)),
      costs_(sources_.calibrate),
      governor_(options_of(policy.daemon), seed),
      seed_(seed),
      ticked_ns_(clock.monotonic_ns()) {
  reload(policy);
}

void BudgetDesk::learn_costs() {
  if (!groups_.empty()) {
    costs_.wait(clock_.monotonic_ns());
  }
}

void BudgetDesk::reload(const policy::Policy& policy) {
  std::map<std::string, double> budgets;
  bool wants_costs = false;
  guards_.clear();
  judged_by_switch_.clear();
  for (const policy::Guard& guard : policy.guards) {
    guards_.push_back(guard.name);
    wants_costs = wants_costs || !guard.functions.empty() || guard.contention.enabled;
    if (!guard.functions.empty()) {
      budgets.emplace(guard.name, guard.budget);
    }
    for (const policy::SwitchPolicy& each : guard.switches) {
      for (const std::string& function : each.functions) {
        judged_by_switch_[function] = true;
      }
    }
  }
  if (wants_costs && !costs_.measured()) {
    costs_.measure();
  }
  governor_.set_budgets(budgets);
  std::erase_if(groups_, [&](const auto& entry) { return !budgets.contains(entry.first); });
  for (const auto& [name, budget] : budgets) {
    Group& group = groups_[name];
    group.totals.guard = name;
    group.totals.limit = budget;
  }
  forget_restored();
}

void BudgetDesk::follow(const plan::ProbePlan& plan) {
  ++epoch_;
  std::map<std::uint32_t, Account> accounts;
  for (const plan::FunctionProbe& probe : plan.functions) {
    std::string key = key_of(probe);
    const auto known = accounts_.find(probe.function_id);
    Account& account = accounts[probe.function_id];
    if (known != accounts_.end() && known->second.key == key) {
      account = std::move(known->second);
    }
    account.probe = probe;
    account.exempt_for_errors = !probe.error.empty() && !judged_by_switch_.contains(probe.name);
    account.pending.key = key;
    account.pending.name = probe.symbol.demangled;
    account.key = std::move(key);
  }
  accounts_ = std::move(accounts);

  std::map<std::string, std::set<targets::ProcessId>> processes;
  for (const plan::TargetEntry& target : plan.targets) {
    processes[guards_.at(target.guard_index)].insert(target.id);
  }
  for (auto& [name, group] : groups_) {
    group.cpu.follow(processes[name], sources_.cpu_ns);
  }
}

void BudgetDesk::time_programs(std::span<const kernel::FunctionReading> readings, std::int64_t elapsed_ns) {
  programs_.age(elapsed_ns);
  for (const kernel::FunctionReading& reading : readings) {
    if (const auto found = accounts_.find(reading.function_id); found != accounts_.end()) {
      programs_.add(reading.sum, found->second.last);
    }
  }
}

// The program at the entry was not timed: it does about what the one at the return does.
double BudgetDesk::entry_ns(const Account& account) const {
  return costs_.entry_ns(account.probe.site.kind) + program_ns();
}

double BudgetDesk::return_ns(const Account& account) const { return return_hit_ns(account) + program_ns(); }

// Which of the places where a function returns is hit nobody knows: the dearest.
double BudgetDesk::return_hit_ns(const Account& account) const {
  double dearest_ns = account.probe.returns.empty() ? costs_.return_ns() : 0;
  for (const symbols::FunctionExit& exit : account.probe.returns) {
    dearest_ns = std::max(dearest_ns, costs_.entry_ns(exit.kind));
  }
  return dearest_ns;
}

bool BudgetDesk::has_session(const Account& account) const {
  return sources_.sessions && account.probe.site.takes_return_probe && account.probe.returns.empty();
}

// The programs end early there: the kernel's part is what these hits cost.
double BudgetDesk::foreign_ns(const Account& account) const {
  return costs_.entry_ns(account.probe.site.kind) + (has_session(account) ? 0 : return_hit_ns(account));
}

void BudgetDesk::charge(Account& account, const rg_function_counters& now, breaker::Handling& handling) {
  rg_function_counters& last = account.last;
  const std::uint64_t calls = detect::added_count(now.calls, last.calls);
  const std::uint64_t returns = detect::added_count(now.returns, last.returns);
  const std::uint64_t foreign = detect::added_count(now.foreign, last.foreign);
  const std::int64_t returns_ns = to_ns(static_cast<double>(returns) * return_ns(account));
  const std::int64_t cost_ns =
      to_ns(static_cast<double>(calls) * entry_ns(account) + static_cast<double>(foreign) * foreign_ns(account)) +
      returns_ns;
  account.pending.cost_ns += cost_ns;
  account.pending.returns_ns += returns_ns;
  account.pending.can_sample = has_session(account);
  account.pending.returns += returns;
  account.pending.errors += detect::added_count(now.errors, last.errors);
  account.cost_ns += cost_ns;
  last = now;
  const std::uint64_t foreign_hits = foreign * (has_session(account) ? 1 : 2);
  const std::uint64_t hits = calls + returns + foreign_hits;
  handling.hits += hits;
  handling.total_ns += cost_ns;
  Group& group = groups_.at(account.probe.guard);
  group.pending_ns += cost_ns;
  group.totals.cost_ns += cost_ns;
  group.totals.hits += hits;
  group.totals.foreign_hits += foreign_hits;
}

bool BudgetDesk::is_due(const Group& group, std::int64_t now_ns) const {
  const std::int64_t elapsed_ns = now_ns - group.read_ns;
  const double surely_allowed_ns = group.totals.limit * GroupBudget::kLeastCpuShare * static_cast<double>(elapsed_ns);
  return elapsed_ns >= kSamplePeriodNs || static_cast<double>(group.pending_ns) > surely_allowed_ns;
}

breaker::GroupSpending BudgetDesk::close_sample(const std::string& name, Group& group, std::int64_t now_ns) {
  breaker::GroupSpending spending{.elapsed_ns = now_ns - group.read_ns,
                                  .cpu_ns = group.cpu.take_used_ns(sources_.cpu_ns)};
  group.recent.add(now_ns, {.cost_ns = group.pending_ns, .cpu_ns = spending.cpu_ns});
  group.totals.cpu_ns += spending.cpu_ns;
  group.read_ns = now_ns;
  group.pending_ns = 0;
  for (auto& [id, account] : accounts_) {
    if (account.probe.guard != name) {
      continue;
    }
    account.recent.add(now_ns, {.cost_ns = account.pending.cost_ns, .cpu_ns = spending.cpu_ns});
    spending.functions.push_back(account.pending);
    spending.functions.back().exempt_for_errors = account.exempt_for_errors;
    account.pending.cost_ns = 0;
    account.pending.returns_ns = 0;
    account.pending.returns = 0;
    account.pending.errors = 0;
  }
  return spending;
}

std::vector<BudgetStep> BudgetDesk::tick(std::span<const kernel::FunctionReading> readings) {
  const breaker::Instant now{.monotonic_ns = clock_.monotonic_ns(), .realtime_ns = clock_.realtime_ns()};
  costs_.poll(now.monotonic_ns);
  const std::int64_t elapsed_ns = now.monotonic_ns - std::exchange(ticked_ns_, now.monotonic_ns);
  time_programs(readings, elapsed_ns);
  breaker::Handling handling;
  for (const kernel::FunctionReading& reading : readings) {
    if (const auto account = accounts_.find(reading.function_id); account != accounts_.end()) {
      charge(account->second, reading.sum, handling);
    }
  }
  breaker::GroupSpendings due;
  for (auto& [name, group] : groups_) {
    if (group.read_ns == 0) {
      group.read_ns = now.monotonic_ns - elapsed_ns;
    }
    if (is_due(group, now.monotonic_ns)) {
      due.emplace(name, close_sample(name, group, now.monotonic_ns));
    }
  }
  auto steps = governor_.tick(now, elapsed_ns, due, handling);
  check_models(now, steps);
  for (const BudgetStep& step : steps) {
    take(step);
  }
  forget_restored();
  return steps;
}

void BudgetDesk::take(const BudgetStep& step) {
  const auto kind = static_cast<std::size_t>(step.kind);
  if (step.group.empty()) {
    ++fuse_steps_.at(kind);
    return;
  }
  ++groups_.at(step.group).totals.steps.at(kind);
  const bool known = std::ranges::find(limited_, step.key, &Limited::key) != limited_.end();
  const auto account = std::ranges::find(accounts_, step.key, [](const auto& entry) { return entry.second.key; });
  const bool limits = step.kind == BudgetStep::Kind::kExempt || step.kind == BudgetStep::Kind::kSample;
  if (limits && !known && account != accounts_.end()) {
    limited_.push_back({.probe = account->second.probe, .key = step.key});
  }
}

// Those that are probed as before, or whose budget is another one.
void BudgetDesk::forget_restored() {
  std::erase_if(limited_, [&](const Limited& each) {
    const auto group = governor_.groups().find(each.probe.guard);
    if (group == governor_.groups().end()) {
      return true;
    }
    const auto function = group->second.functions().find(each.key);
    return function == group->second.functions().end() ||
           (function->second.state == GroupBudget::State::kProbed && function->second.level == breaker::kSeesAll);
  });
}

const GroupBudget::Function& BudgetDesk::function_of(const Limited& limited) const {
  return governor_.groups().at(limited.probe.guard).functions().at(limited.key);
}

plan::ReturnShares BudgetDesk::returns() const {
  plan::ReturnShares returns;
  for (const Limited& each : limited_) {
    returns.set(each.probe, breaker::kReturnShifts.at(function_of(each).level));
  }
  return returns;
}

plan::LeftOutProbes BudgetDesk::left_out() const {
  plan::LeftOutProbes left_out;
  for (const Limited& each : limited_) {
    const auto& function = function_of(each);
    if (function.state == GroupBudget::State::kExempt) {
      left_out.add(each.probe, left_out_error("exempt: " + function.reason));
    }
  }
  if (governor_.fuse().state() == breaker::HandlingFuse::State::kOpen) {
    left_out.add_all(left_out_error("the fuse is open: " + governor_.fuse().reason()));
  }
  return left_out;
}

void BudgetDesk::add_costs(std::vector<detect::FunctionFigures>& figures) const {
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (detect::FunctionFigures& each : figures) {
    if (const auto found = accounts_.find(each.function_id); found != accounts_.end()) {
      const Account& account = found->second;
      each.foreign = account.last.foreign;
      each.cost_ns = account.cost_ns;
      each.cost_share = account.recent.sum(now_ns).share();
      each.return_share = 1.0 / static_cast<double>(std::uint64_t{1} << account.probe.return_shift);
      each.added_ns = to_ns(entry_ns(account) + each.return_share * return_ns(account));
    }
  }
}

exporting::BudgetView BudgetDesk::view() const {
  const std::int64_t now_ns = clock_.monotonic_ns();
  const breaker::HandlingFuse& fuse = governor_.fuse();
  exporting::BudgetView view{.calibrated = costs_.measured(),
                             .fuse_open = fuse.state() == breaker::HandlingFuse::State::kOpen,
                             .fuse_reason = fuse.reason(),
                             .fuse_next_change_ns = fuse.next_change_ns(),
                             .fuse_steps = fuse_steps_,
                             .handling_ns = fuse.mean_ns()};
  for (const auto& [name, group] : groups_) {
    view.guards.push_back(group.totals);
    if (group.check) {
      view.guards.back().model = group.check->result();
    }
    view.guards.back().share = group.recent.sum(now_ns).share();
  }
  for (const Limited& each : limited_) {
    const auto& function = function_of(each);
    view.exemptions.push_back(
        {.guard = each.probe.guard,
         .name = each.probe.name,
         .symbol = each.probe.symbol.demangled,
         .reason = function.reason,
         .state = limit_of(function),
         .return_share = function.state == GroupBudget::State::kExempt ? 0 : breaker::return_share(function.level),
         .since_realtime_ns = function.since.realtime_ns,
         .next_change_ns = function.next_change_ns});
  }
  return view;
}

}  // namespace raceguard::app
