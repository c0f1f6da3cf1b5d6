// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/budget_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/json_parts.h"
#include "daemon/export/json_views.h"
#include "daemon/export/snapshot.h"

namespace raceguard::exporting {
namespace {

using breaker::BudgetStep;
using nlohmann::json;

constexpr std::array<const char*, 3> kStates = {"exempt", "trial", "sampled"};  // by ExemptionView::State

json model_json(const breaker::ModelCheck::Result& model) {
  const bool judged = model.pairs >= breaker::ModelCheck::kLeastPairs;
  return {{"known", model.known},
          {"pairs", model.pairs},
          {"felt_times", judged ? json(model.felt) : json(nullptr)},
          {"lower", judged ? json(model.lower) : json(nullptr)},
          {"upper", judged ? json(model.upper) : json(nullptr)}};
}

json steps_json(const std::array<std::uint64_t, breaker::kBudgetStepNames.size()>& counts, BudgetStep::Kind first,
                BudgetStep::Kind last) {
  json steps = json::object();
  for (auto kind = static_cast<std::size_t>(first); kind <= static_cast<std::size_t>(last); ++kind) {
    steps[std::string(breaker::kBudgetStepNames.at(kind))] = counts.at(kind);
  }
  return steps;
}

}  // namespace

json budget_step_json(const BudgetStep& step) {
  const std::int64_t wait_ns = step.next_change_ns == 0 ? 0 : step.next_change_ns - step.time.monotonic_ns;
  return {{"step", breaker::to_string(step.kind)},
          {"guard", text_or_null(step.group)},
          {"function", text_or_null(step.name)},
          {"reason", step.reason},
          {"evidence", measurements_json(step.evidence)},
          {"return_share", step.return_share},
          {"watch_share", step.watch_share},
          {"time", time_or_null(step.time.realtime_ns)},
          {"monotonic_ns", step.time.monotonic_ns},
          {"next_change", wait_ns == 0 ? json(nullptr) : time_or_null(step.time.realtime_ns + wait_ns)}};
}

std::string budget_step_text(const BudgetStep& step) {
  const std::string what = step.group.empty() ? "" : fmt::format(" {} of {}", step.name, step.group);
  return fmt::format("budget: {}{}: {}", breaker::to_string(step.kind), what, step.reason);
}

json exemptions_json(const Snapshot& snapshot) {
  json list = json::array();
  for (const ExemptionView& each : snapshot.budget.exemptions) {
    list.push_back({{"guard", each.guard},
                    {"name", each.name},
                    {"symbol", each.symbol},
                    {"state", kStates.at(static_cast<std::size_t>(each.state))},
                    {"return_share", each.return_share},
                    {"reason", each.reason},
                    {"since", time_or_null(each.since_realtime_ns)},
                    {"next_change", monotonic_or_null(snapshot, each.next_change_ns)}});
  }
  return list;
}

json budget_json(const Snapshot& snapshot) {
  const BudgetView& budget = snapshot.budget;
  json guards = json::array();
  for (const GuardBudgetView& guard : budget.guards) {
    guards.push_back({{"guard", guard.guard},
                      {"limit", guard.limit},
                      {"share", guard.share},
                      {"model", model_json(guard.model)},
                      {"hits", guard.hits},
                      {"foreign_hits", guard.foreign_hits},
                      {"cost_seconds", to_seconds(guard.cost_ns)},
                      {"target_cpu_seconds", to_seconds(guard.cpu_ns)},
                      {"steps", steps_json(guard.steps, BudgetStep::Kind::kSample, BudgetStep::Kind::kRestore)}});
  }
  json contention = json::array();
  for (const ContentionBudgetView& guard : budget.contention) {
    contention.push_back({{"guard", guard.guard},
                          {"limit", guard.limit},
                          {"share", guard.share},
                          {"watched_share", guard.watched_share},
                          {"resting", guard.resting},
                          {"futex_calls", guard.calls},
                          {"cost_seconds", to_seconds(guard.cost_ns)},
                          {"target_cpu_seconds", to_seconds(guard.cpu_ns)},
                          {"steps", {{"watch_less", guard.steps_less}, {"watch_more", guard.steps_more}}}});
  }
  return {{"calibrated", budget.calibrated},
          {"handling_seconds", budget.handling_ns / 1e9},
          {"fuse",
           {{"open", budget.fuse_open},
            {"reason", text_or_null(budget.fuse_reason)},
            {"next_change", monotonic_or_null(snapshot, budget.fuse_next_change_ns)},
            {"steps", steps_json(budget.fuse_steps, BudgetStep::Kind::kFuseOpen, BudgetStep::Kind::kFuseClose)}}},
          {"guards", std::move(guards)},
          {"contention", std::move(contention)},
          {"exemptions", exemptions_json(snapshot)}};
}

}  // namespace raceguard::exporting
