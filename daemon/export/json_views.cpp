// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/json_views.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/detect/lock_order_finding.h"
#include "daemon/export/budget_json.h"
#include "daemon/export/burst_json.h"
#include "daemon/export/deadlock_view.h"
#include "daemon/export/interceptions_json.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/lock_report_view.h"
#include "daemon/export/race_views.h"
#include "daemon/export/snapshot.h"
#include "raceguard/abi/drop_reasons.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

json drops_json(const Snapshot& snapshot) {
  json drops = json::object();
#define RG_DROP_JSON(name, label, help) drops[label] = (name) < snapshot.drops.size() ? snapshot.drops[name] : 0;
  RG_DROP_REASONS(RG_DROP_JSON)
#undef RG_DROP_JSON
  return drops;
}

std::ptrdiff_t proven_races(const Snapshot& snapshot) {
  return std::count_if(snapshot.watch.races.begin(), snapshot.watch.races.end(), [](const detect::BookedRacePtr& race) {
    return race->finding.verdict == detect::Verdict::kProven;
  });
}

json counts_json(const Snapshot& snapshot) {
  const auto open = std::count_if(snapshot.switches.begin(), snapshot.switches.end(),
                                  [](const SwitchView& view) { return view.applied_state != breaker::State::kClosed; });
  std::uint64_t waiting = 0;
  for (const detect::LockFigures& lock : snapshot.locks) {
    waiting += lock.wait_kind == events::LockStackEvent::WaitKind::kLock ? lock.waiting_now : 0;
  }
  return {{"targets", snapshot.targets.size()},
          {"probes", snapshot.probes.size()},
          {"functions", snapshot.functions.size()},
          {"locks", snapshot.locks.size()},
          {"lock_waiters", waiting},
          {"findings", snapshot.findings.size() + snapshot.watch.races.size()},
          {"races_proven", proven_races(snapshot)},
          {"switches", snapshot.switches.size()},
          {"switches_not_closed", open},
          {"interceptions",
           std::ranges::count(snapshot.interceptions.list, InterceptionState::kRunning, &InterceptionView::state)},
          {"exemptions", snapshot.budget.exemptions.size()},
          {"omissions", snapshot.omissions.size()}};
}

json target_json(const TargetView& view) {
  json binaries = json::array();
  for (const targets::MappedBinary& binary : view.target.binaries) {
    binaries.push_back({{"path", binary.path}, {"deleted", binary.deleted}});
  }
  return {{"pid", view.target.id.pid},
          {"start_ticks", view.target.id.start_ticks},
          {"guard", view.target.guard},
          {"comm", view.target.comm},
          {"exe", view.target.exe},
          {"cgroup", text_or_null(view.target.cgroup)},
          {"systemd_unit", text_or_null(view.target.systemd_unit)},
          {"uid", view.target.uid},
          {"functions_probed", view.functions_probed},
          {"binaries", std::move(binaries)}};
}

json sites_json(const std::vector<detect::RankedSite>& sites) {
  json list = json::array();
  for (const detect::RankedSite& site : sites) {
    list.push_back({{"count", site.count},
                    {"total_wait_seconds", to_seconds(site.total_wait_ns)},
                    {"last_tid", site.last_tid},
                    {"stack", stack_json(*site.stack)}});
  }
  return list;
}

json lock_json(const detect::LockFigures& lock) {
  const bool condition = lock.wait_kind == events::LockStackEvent::WaitKind::kCondition;
  return {{"pid", lock.pid},
          {"address", fmt::format("{:#x}", lock.address)},
          {"guard", lock.guard},
          {"name", text_or_null(lock.name)},
          {"kind", condition ? "condition" : "lock"},
          {"waits", lock.waits},
          {"wakes", lock.wakes},
          {"waiting_now", lock.waiting_now},
          {"wait_seconds", durations_json(lock.wait, lock.total_wait_ns, lock.longest_wait_ns)},
          {"waiters", sites_json(lock.waiters)},
          {"holders", sites_json(lock.holders)}};
}

json probe_json(const plan::FunctionProbe* probe) {
  static constexpr std::array kKinds = {"nop5", "emulated", "single_stepped", "refused"};
  if (probe == nullptr) {
    return nullptr;
  }
  return {{"binary", probe->host_path},
          {"build_id", text_or_null(probe->binary.build_id)},
          {"site_offset", probe->site.function_offset},
          {"instruction", probe->site.instruction},
          {"kind", kKinds.at(static_cast<std::size_t>(probe->site.kind))},
          {"return_sites", probe->returns.size()},
          {"slow_threshold_seconds", probe->slow_ns == 0 ? json(nullptr) : json(to_seconds(probe->slow_ns))}};
}

json function_json(const detect::FunctionFigures& figures, const plan::FunctionProbe* probe) {
  return {{"function_id", figures.function_id},
          {"guard", figures.guard},
          {"name", figures.name},
          {"symbol", figures.symbol},
          {"calls", figures.calls},
          {"returns", figures.returns},
          {"return_share", figures.return_share},
          {"in_flight", figures.in_flight},
          {"errors", figures.errors},
          {"error_ratio", ratio(figures.errors, figures.returns)},
          {"slow", figures.slow},
          {"slow_ratio", ratio(figures.slow, figures.returns)},
          {"probe_cost",
           {{"total_seconds", to_seconds(figures.cost_ns)},
            {"share", figures.cost_share},
            {"foreign_hits", figures.foreign},
            {"per_call_seconds", to_seconds(figures.added_ns)}}},
          {"duration_seconds", durations_json(figures.latency, figures.total_ns, figures.max_ns)},
          {"probe", probe_json(probe)}};
}

// Pointers to the `limit` members with the largest `by`, largest first.
template <typename T, typename By>
std::vector<const T*> largest(const std::vector<T>& all, std::size_t limit, By by) {
  std::vector<const T*> chosen;
  chosen.reserve(all.size());
  for (const T& one : all) {
    chosen.push_back(&one);
  }
  const std::size_t count = std::min(limit, chosen.size());
  std::partial_sort(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(count), chosen.end(),
                    [&](const T* left, const T* right) { return by(*left) > by(*right); });
  chosen.resize(count);
  return chosen;
}

}  // namespace

json status_json(const Snapshot& snapshot) {
  json document = document_head(snapshot);
  document["version"] = snapshot.version;
  document["pid"] = snapshot.pid;
  document["started"] = time_or_null(snapshot.started_realtime_ns);
  document["uptime_seconds"] = to_seconds(snapshot.realtime_ns - snapshot.started_realtime_ns);
  document["ready"] = snapshot.ready;
  document["not_ready_reason"] = text_or_null(snapshot.not_ready_reason);
  document["policy"] = {{"generation", snapshot.policy_generation},
                        {"reload_failures", snapshot.policy_reload_failures},
                        {"last_error", text_or_null(snapshot.policy_error)}};
  document["kernel"] = {{"uprobe_multi", snapshot.uprobe_multi}};
  document["counts"] = counts_json(snapshot);
  document["loop"] = {{"ticks", snapshot.ticks}, {"longest_tick_seconds", to_seconds(snapshot.tick_ns_max)}};
  document["events"] = {{"decoded", snapshot.events_decoded}, {"stacks_untrusted", snapshot.stacks_untrusted}};
  document["evidence"] = {{"records", snapshot.evidence_records},
                          {"pending", snapshot.evidence_pending},
                          {"lost", snapshot.evidence_lost},
                          {"last_seq", snapshot.evidence_last_seq},
                          {"last_hash", text_or_null(snapshot.evidence_last_hash)}};
  document["budget"] = budget_json(snapshot);
  document["watch"] = watch_json(snapshot.watch);
  document["bursts"] = bursts_json(snapshot.bursts);
  document["drops"] = drops_json(snapshot);
  document["omissions"] = json::array();
  for (const plan::Omission& omission : snapshot.omissions) {
    document["omissions"].push_back({{"guard", omission.guard}, {"what", omission.what}, {"reason", omission.reason}});
  }
  return document;
}

json targets_json(const Snapshot& snapshot) {
  json document = document_head(snapshot);
  document["targets"] = json::array();
  for (const TargetView& view : snapshot.targets) {
    document["targets"].push_back(target_json(view));
  }
  return document;
}

json locks_json(const Snapshot& snapshot, std::size_t limit) {
  json document = document_head(snapshot);
  document["total"] = snapshot.locks.size();
  document["locks"] = json::array();
  for (const auto* lock :
       largest(snapshot.locks, limit, [](const detect::LockFigures& figures) { return figures.total_wait_ns; })) {
    document["locks"].push_back(lock_json(*lock));
  }
  return document;
}

json functions_json(const Snapshot& snapshot, std::size_t limit) {
  std::unordered_map<std::uint32_t, const plan::FunctionProbe*> probes;
  for (const plan::FunctionProbe& probe : snapshot.probes) {
    probes.emplace(probe.function_id, &probe);
  }
  json document = document_head(snapshot);
  document["total"] = snapshot.functions.size();
  document["exemptions"] = exemptions_json(snapshot);
  document["functions"] = json::array();
  for (const auto* figures :
       largest(snapshot.functions, limit, [](const detect::FunctionFigures& one) { return one.total_ns; })) {
    const auto probe = probes.find(figures->function_id);
    document["functions"].push_back(function_json(*figures, probe == probes.end() ? nullptr : probe->second));
  }
  return document;
}

json finding_json(const detect::Finding& finding) {
  static constexpr std::array kKinds = {"contention", "slow_function", "failing_function", "deadlock", "lock_order"};
  json document = {{"kind", kKinds.at(static_cast<std::size_t>(finding.kind))},
                   {"verdict", detect::kVerdictNames.at(static_cast<std::size_t>(finding.verdict))},
                   {"guard", finding.guard},
                   {"subject", finding.subject},
                   {"text", finding.text},
                   {"first_seen", time_or_null(finding.first_seen_ns)},
                   {"last_seen", time_or_null(finding.last_seen_ns)},
                   {"count", finding.count}};
  if (finding.deadlock != nullptr) {
    document.update(deadlock_json(*finding.deadlock));
  }
  if (finding.lock_order != nullptr) {
    document["pid"] = finding.lock_order->pid;
    document["process"] = finding.lock_order->process;
    document["orders"] = orders_json(finding.lock_order->orders);
  }
  return document;
}

json findings_json(const Snapshot& snapshot) {
  json document = document_head(snapshot);
  document["findings"] = json::array();
  std::uint64_t suppressed = 0;
  for (const GuardWatchView& guard : snapshot.watch.guards) {
    suppressed += guard.suppressed;
  }
  document["suppressed"] = suppressed;
  for (const detect::BookedRacePtr& race : snapshot.watch.races) {
    json one = booked_race_json(*race);
    add_interception(snapshot.interceptions, race->guard, one);
    document["findings"].push_back(std::move(one));
  }
  for (const detect::Finding& finding : snapshot.findings) {
    document["findings"].push_back(finding_json(finding));
  }
  return document;
}

}  // namespace raceguard::exporting
