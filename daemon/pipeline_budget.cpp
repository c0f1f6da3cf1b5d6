// SPDX-License-Identifier: Apache-2.0
// What the pipeline does about the costs of probes: the kernel's figures go to the desk, its steps to the prober.
#include <algorithm>

#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "daemon/export/budget_json.h"
#include "daemon/pipeline.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kFirstLooksNs = 25 * kNsPerMs;

}  // namespace

std::vector<std::string> unprobed(const exporting::BudgetView& budget, const exporting::SwitchView& view) {
  std::vector<std::string> names;
  for (const std::string& function : view.functions) {
    const bool exempt = std::ranges::any_of(budget.exemptions, [&](const exporting::ExemptionView& each) {
      return each.state == exporting::ExemptionView::State::kExempt && each.guard == view.guard &&
             each.name == function;
    });
    if (budget.fuse_open || exempt) {
      names.push_back(function);
    }
  }
  return names;
}

// Some at a time, with a look at what they cost in between.
void Pipeline::attach_postponed() {
  while (prober_.has_postponed()) {
    govern();
    follow(prober_.update());
  }
}

// What a new probe costs nobody knows yet: a function that is called a million times a second loses nine tenths of its
// speed until it is noticed, so the first looks come sooner than the next tick.
void Pipeline::expect_costs() {
  constexpr std::int64_t kNewForNs = 200 * kNsPerMs;
  new_probes_until_ns_ = clock_.monotonic_ns() + kNewForNs;
  ring_in_(kFirstLooksNs);
}

void Pipeline::look_at_new_probes() {
  govern();
  if (clock_.monotonic_ns() < new_probes_until_ns_) {
    ring_in_(kFirstLooksNs);
  }
}

// Between slow ticks: a function that is called a million times a second must not wait for the next one.
void Pipeline::govern() {
  if (auto readings = prober_.attachment().read_functions()) {
    charge(*readings);
    desk_.flush_evidence();
  } else {
    report("reading the figures of functions", readings.error());
  }
}

void Pipeline::charge(const std::vector<kernel::FunctionReading>& readings) {
  const auto steps = budget_.tick(readings);
  hide_returns();
  for (const breaker::BudgetStep& step : steps) {
    spdlog::warn("{}", exporting::budget_step_text(step));
    desk_.note("budget", exporting::budget_step_json(step));
  }
  if (!steps.empty()) {
    leave_out();
  }
}

// Past the plan, which stays as it is: a window is a quarter of a second.
void Pipeline::hide_returns() {
  plan::PlanDifference change;
  change.update_functions = budget_.take_hidden_changes();
  if (change.update_functions.empty()) {
    return;
  }
  for (const Error& error : prober_.attachment().apply(change)) {
    report("hiding returns", error);
  }
}

void Pipeline::leave_out() {
  prober_.leave_out(budget_.left_out(), budget_.returns());
  follow(prober_.update());
}

void Pipeline::publish_budget(exporting::Snapshot& snapshot) const {
  budget_.add_costs(snapshot.functions);
  snapshot.budget = budget_.view();
}

}  // namespace raceguard::app
