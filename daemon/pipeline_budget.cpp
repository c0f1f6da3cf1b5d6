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
  note_steps(steps);
  if (!steps.empty()) {
    leave_out();
  }
}

void Pipeline::note_steps(const std::vector<breaker::BudgetStep>& steps) {
  for (const breaker::BudgetStep& step : steps) {
    spdlog::warn("{}", exporting::budget_step_text(step));
    desk_.note("budget", exporting::budget_step_json(step));
  }
}

void Pipeline::charge_contention() {
  if (contention_.is_due()) {
    tick_contention();
  }
  plan::PlanDifference change;
  change.add_targets = contention_.take_changes();
  if (!change.add_targets.empty() || contention_attached_ == contention_.all_rest()) {
    rest_contention(change);
  }
}

void Pipeline::tick_contention() {
  const std::size_t groups = std::min<std::size_t>(policy_.guards.size(), RG_MAX_TARGET_GROUPS);
  const auto counted = prober_.attachment().read_contention(static_cast<std::uint32_t>(groups));
  if (!counted) {
    report("reading what the contention watch costs", counted.error());
    return;
  }
  note_steps(contention_.tick(*counted, budget_.costs().futex_call_ns(prober_.attachment().futex_hook())));
}

// Past the plan, which stays as it is. Where all watches rest, futex calls cost nothing at all.
void Pipeline::rest_contention(const plan::PlanDifference& change) {
  for (const plan::TargetEntry& entry : change.add_targets) {
    if (!entry.contention_rests) {
      observer_.seek_waits(entry.id.pid);  // that began meanwhile
    }
  }
  for (const Error& error : prober_.attachment().apply(change)) {
    report("resting the contention watch", error);
  }
  if (contention_attached_ == contention_.all_rest()) {
    contention_attached_ = !contention_attached_;
    auto done =
        contention_attached_ ? prober_.attachment().resume_contention() : prober_.attachment().pause_contention();
    if (!done) {
      report("attaching and detaching the contention watch", done.error());
    }
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
  snapshot.budget.contention = contention_.view();
}

}  // namespace raceguard::app
