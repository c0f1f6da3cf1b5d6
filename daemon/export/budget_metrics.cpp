// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/budget_metrics.h"

#include <map>
#include <string>

#include "daemon/export/budget_view.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/metric_families.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {

// The labels are guards and steps: as many as the policy has, whatever happens.
void put_budget(FamilyList& out, const BudgetView& budget) {
  using Kind = breaker::BudgetStep::Kind;
  const auto guard_label = [](const GuardBudgetView& guard) { return MetricLabels{{"guard", guard.guard}}; };
  out.counter("raceguard_budget_hits_total", "Hits of function probes, entries and returns.");
  for (const auto& guard : budget.guards) out.value(guard.hits, guard_label(guard));
  out.counter("raceguard_budget_foreign_hits_total",
              "Of these, hits by processes that run the same file and are no target.");
  for (const auto& guard : budget.guards) out.value(guard.foreign_hits, guard_label(guard));
  out.counter("raceguard_budget_cost_seconds_total", "What function probes took of their callers' time, calibrated.");
  for (const auto& guard : budget.guards) out.value(to_seconds(guard.cost_ns), guard_label(guard));
  out.counter("raceguard_budget_target_cpu_seconds_total", "CPU time of the targets since they are guarded.");
  for (const auto& guard : budget.guards) out.value(to_seconds(guard.cpu_ns), guard_label(guard));
  out.gauge("raceguard_budget_share_ratio", "Share of the targets' CPU time that function probes took of late.");
  for (const auto& guard : budget.guards) out.value(guard.share, guard_label(guard));
  out.gauge("raceguard_budget_limit_ratio", "The share that they may take.");
  for (const auto& guard : budget.guards) out.value(guard.limit, guard_label(guard));
  out.gauge(
      "raceguard_budget_model_error_ratio",
      "How much more targets feel than probes are charged with: 0 none, 1 twice as much; absent until it is known.");
  for (const auto& guard : budget.guards) {
    if (guard.model.known) out.value(guard.model.felt - 1, guard_label(guard));
  }
  out.gauge("raceguard_budget_model_pairs", "Pairs of windows with and without returns that this is judged by.");
  for (const auto& guard : budget.guards) out.value(std::uint64_t{guard.model.pairs}, guard_label(guard));
  std::map<std::string, std::uint64_t> exempt;
  std::map<std::string, std::uint64_t> sampled;
  for (const auto& guard : budget.guards) exempt[guard.guard] = sampled[guard.guard] = 0;
  for (const ExemptionView& each : budget.exemptions) {
    exempt[each.guard] += each.state == ExemptionView::State::kExempt ? 1 : 0;
    sampled[each.guard] += each.state == ExemptionView::State::kSampled ? 1 : 0;
  }
  out.gauge("raceguard_budget_exempt_functions", "Functions that are not probed because of what that cost.");
  for (const auto& [guard, count] : exempt) out.value(count, {{"guard", guard}});
  out.gauge("raceguard_budget_sampled_functions",
            "Functions of whose calls only a share is seen to return, for the same.");
  for (const auto& [guard, count] : sampled) out.value(count, {{"guard", guard}});
  out.counter("raceguard_budget_steps_total", "Decisions of the governor; raceguardctl status names the functions.");
  for (const auto& guard : budget.guards) {
    for (const Kind kind : {Kind::kSample, Kind::kSampleMore, Kind::kExempt, Kind::kTry, Kind::kRestore}) {
      out.value(guard.steps.at(static_cast<std::size_t>(kind)),
                {{"guard", guard.guard}, {"step", std::string(breaker::to_string(kind))}});
    }
  }
  out.counter("raceguard_budget_fuse_steps_total", "Decisions about the fuse that takes all function probes off.");
  for (const Kind kind : {Kind::kFuseOpen, Kind::kFuseTry, Kind::kFuseClose}) {
    out.value(budget.fuse_steps.at(static_cast<std::size_t>(kind)), {{"step", std::string(breaker::to_string(kind))}});
  }
  out.gauge("raceguard_budget_fuse_open", "1 while no function is probed, because handling a hit took too long.")
      .value(std::uint64_t{budget.fuse_open});
  out.gauge("raceguard_budget_handling_seconds", "Mean time to handle a hit of late; 0: too few to say.")
      .value(budget.handling_ns / static_cast<double>(kNsPerSecond));
  out.gauge("raceguard_budget_calibrated", "1 once the costs of hits were measured on this machine.")
      .value(std::uint64_t{budget.calibrated});
}

void put_contention_budget(FamilyList& out, const BudgetView& budget) {
  const auto guard_label = [](const ContentionBudgetView& guard) { return MetricLabels{{"guard", guard.guard}}; };
  const auto put = [&](const auto value_of) {
    for (const auto& guard : budget.contention) out.value(value_of(guard), guard_label(guard));
  };
  out.counter("raceguard_contention_futex_calls_total", "Futex calls of the targets, seen or only counted.");
  put([](const auto& guard) { return guard.calls; });
  out.counter("raceguard_contention_cost_seconds_total", "What seeing them took of the targets' time, calibrated.");
  put([](const auto& guard) { return to_seconds(guard.cost_ns); });
  out.gauge("raceguard_contention_cost_share_ratio", "Share of the targets' CPU time that this took of late.");
  put([](const auto& guard) { return guard.share; });
  out.gauge("raceguard_contention_limit_ratio", "The share that it may take.");
  put([](const auto& guard) { return guard.limit; });
  out.gauge("raceguard_contention_watched_ratio", "Share of the time in which locks are watched; 1: always.");
  put([](const auto& guard) { return guard.watched_share; });
  out.counter("raceguard_contention_steps_total", "Decisions to watch locks for less or more of the time.");
  for (const auto& guard : budget.contention) {
    out.value(guard.steps_less, {{"guard", guard.guard}, {"step", "watch_less"}});
    out.value(guard.steps_more, {{"guard", guard.guard}, {"step", "watch_more"}});
  }
}

}  // namespace raceguard::exporting
