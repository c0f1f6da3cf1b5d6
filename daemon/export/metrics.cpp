// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/metrics.h"

#include <prometheus/text_serializer.h>

#include <array>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "daemon/detect/deadlock_finding.h"
#include "daemon/export/budget_metrics.h"
#include "daemon/export/burst_metrics.h"
#include "daemon/export/interception_metrics.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/json_views.h"
#include "daemon/export/metric_families.h"
#include "daemon/export/openmetrics.h"
#include "daemon/export/process_figures.h"
#include "daemon/export/snapshot.h"
#include "raceguard/abi/drop_reasons.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using WaitKind = events::LockStackEvent::WaitKind;

double seconds(std::int64_t ns) { return static_cast<double>(ns) / static_cast<double>(kNsPerSecond); }

SeriesTable::Source source_of(const detect::LockFigures& lock) {
  const std::string address = fmt::format("{:#x}", lock.address);
  return {.identity = fmt::format("{}:{}", lock.pid, address),
          .guard = lock.guard,
          .name = lock.name.empty() ? address : lock.name,
          .detail = {},
          .now = growing_of(lock),
          .level = lock.waiting_now,
          .weight = lock.total_wait_ns,
          .idle = lock.wait_kind == WaitKind::kCondition};
}

SeriesTable::Source source_of(const detect::FunctionFigures& figures) {
  return {.identity = fmt::format("{}:{}:{}:{}", figures.function_id, figures.guard, figures.name, figures.symbol),
          .guard = figures.guard,
          .name = figures.name,
          .detail = figures.symbol,
          .now = growing_of(figures),
          .level = figures.in_flight,
          .added_ns = figures.added_ns,
          .share = figures.return_share,
          .weight = static_cast<std::int64_t>(figures.calls),
          .idle = false};
}

void put_functions(FamilyList& out, const std::vector<SeriesTable::Series>& series) {
  const auto labels = [](const SeriesTable::Series& one) {
    return MetricLabels{{"guard", one.guard}, {"function", one.name}, {"symbol", one.detail}};
  };
  out.counter("raceguard_function_calls_total", "Calls of a guarded function, counted at its entry.");
  for (const auto& one : series) out.value(one.sum.events, labels(one));
  out.counter("raceguard_function_errors_total", "Calls whose return value met the policy's error test.");
  for (const auto& one : series) out.value(one.sum.errors, labels(one));
  out.counter("raceguard_function_slow_total", "Calls that took the policy's slow threshold or longer.");
  for (const auto& one : series) out.value(one.sum.slow, labels(one));
  out.gauge("raceguard_function_in_flight", "Calls that have not returned yet.");
  for (const auto& one : series) out.value(one.level, labels(one));
  out.counter("raceguard_budget_function_cost_seconds_total", "What the function's probes took of its callers' time.");
  for (const auto& one : series) out.value(seconds(one.sum.cost_ns), labels(one));
  out.gauge("raceguard_function_return_share_ratio",
            "Share of the calls whose return is seen now: durations, errors and slow calls are counted of these.");
  for (const auto& one : series) out.value(one.share, labels(one));
  out.gauge("raceguard_budget_added_latency_seconds", "What the function's probes add to a call, calibrated.");
  for (const auto& one : series) out.value(seconds(one.added_ns), labels(one));
  out.histogram("raceguard_function_duration_seconds", "Time from a call's entry to its return.");
  for (const auto& one : series) out.durations(one.sum, labels(one));
}

void put_locks(FamilyList& out, const std::vector<SeriesTable::Series>& series) {
  const auto labels = [](const SeriesTable::Series& one) {
    return MetricLabels{{"guard", one.guard}, {"lock", one.name}};
  };
  out.counter("raceguard_lock_waits_total", "Waits for a contended lock that reached the kernel.");
  for (const auto& one : series) out.value(one.sum.events, labels(one));
  out.gauge("raceguard_lock_waiting", "Threads that wait for the lock now.");
  for (const auto& one : series) out.value(one.level, labels(one));
  out.histogram("raceguard_lock_wait_seconds", "How long threads waited for the lock in the kernel.");
  for (const auto& one : series) out.durations(one.sum, labels(one));
}

void put_switches(FamilyList& out, const Snapshot& snapshot) {
  static constexpr std::array kStates = {breaker::State::kClosed, breaker::State::kOpen, breaker::State::kHalfOpen};
  out.gauge("raceguard_switch_state", "1 for the state that applications see, 0 for the others.");
  for (const SwitchView& view : snapshot.switches) {
    for (const breaker::State state : kStates) {
      out.value(std::uint64_t{view.applied_state == state},
                {{"switch", view.name}, {"state", std::string(state_name(state))}});
    }
  }
  out.gauge("raceguard_switch_forced", "1 if a person forced the switch's state.");
  for (const SwitchView& view : snapshot.switches) out.value(std::uint64_t{view.forced}, {{"switch", view.name}});
  out.gauge("raceguard_switch_unprobed_functions",
            "Functions that feed the switch and are not probed because of what that cost: it gets no figures of them.");
  for (const SwitchView& view : snapshot.switches) {
    out.value(std::uint64_t{view.unprobed.size()}, {{"switch", view.name}});
  }
  out.counter("raceguard_switch_transitions_total",
              "Transitions into a state; enforced=\"false\" is what mode observe or the cap kept from happening.");
  for (const SwitchView& view : snapshot.switches) {
    for (const breaker::State state : kStates) {
      const TransitionCount& count = view.transitions_to.at(static_cast<std::size_t>(state));
      const std::string to(state_name(state));
      out.value(count.enforced, {{"switch", view.name}, {"to", to}, {"enforced", "true"}});
      out.value(count.observed, {{"switch", view.name}, {"to", to}, {"enforced", "false"}});
    }
  }
}

void put_targets(FamilyList& out, const Snapshot& snapshot) {
  std::map<std::string, std::uint64_t> targets;
  std::map<std::string, std::uint64_t> omissions;
  for (const TargetView& view : snapshot.targets) ++targets[view.target.guard];
  for (const plan::Omission& omission : snapshot.omissions) ++omissions[omission.guard];
  out.gauge("raceguard_targets", "Processes that are guarded now.");
  for (const auto& [guard, count] : targets) out.value(count, {{"guard", guard}});
  out.gauge("raceguard_omissions", "What the plan could not include; raceguardctl status names each.");
  for (const auto& [guard, count] : omissions) out.value(count, {{"guard", guard}});
  out.gauge("raceguard_probes", "Function probes that are attached.").value(snapshot.probes.size());
  out.gauge("raceguard_locks", "Locks that the daemon knows.").value(snapshot.locks.size());
  out.gauge("raceguard_findings", "Findings that the daemon holds.")
      .value(snapshot.findings.size() + snapshot.watch.races.size());
}

// Those that were not seen any more end with their process, and stay in the list of findings.
void put_deadlocks(FamilyList& out, const Snapshot& snapshot) {
  std::map<std::pair<std::string, std::size_t>, std::uint64_t> standing;
  for (const TargetView& view : snapshot.targets) {
    for (const detect::Verdict verdict : {detect::Verdict::kProven, detect::Verdict::kLikely}) {
      standing[{view.target.guard, static_cast<std::size_t>(verdict)}] = 0;
    }
  }
  for (const detect::Finding& finding : snapshot.findings) {
    if (finding.kind == detect::Finding::Kind::kDeadlock &&
        snapshot.realtime_ns - finding.last_seen_ns < detect::kDeadlockStandsNs) {
      ++standing[{finding.guard, static_cast<std::size_t>(finding.verdict)}];
    }
  }
  out.gauge("raceguard_deadlocks", "Deadlocks that stand now.");
  for (const auto& [key, count] : standing) {
    out.value(count, {{"guard", key.first}, {"verdict", std::string(detect::kVerdictNames.at(key.second))}});
  }
}

// The labels are guards and verdicts: as many as the policy has, whatever is found.
void put_watch(FamilyList& out, const WatchView& watch) {
  out.counter("raceguard_races_total", "Data races found, each once for a verdict; suppressed ones do not count.");
  for (const GuardWatchView& guard : watch.guards) {
    for (std::size_t i = 0; i < detect::kVerdictNames.size(); ++i) {
      out.value(guard.races.found.at(i),
                {{"guard", guard.guard}, {"verdict", std::string(detect::kVerdictNames.at(i))}});
    }
  }
  out.gauge("raceguard_races_suppressed", "Data races that were found and that a suppressions file names.");
  for (const GuardWatchView& guard : watch.guards) out.value(guard.suppressed, {{"guard", guard.guard}});
  out.gauge("raceguard_watch_coverage_ratio", "Share of the bytes to watch that were watched at least once.");
  for (const GuardWatchView& guard : watch.guards) {
    out.value(ratio(guard.coverage.visited_bytes, guard.coverage.bytes), {{"guard", guard.guard}});
  }
  out.gauge("raceguard_watch_processes", "Processes that are searched for data races.");
  for (const GuardWatchView& guard : watch.guards) out.value(guard.processes, {{"guard", guard.guard}});
  out.counter("raceguard_watch_armed_seconds_total", "Time that addresses were watched, all registers together.")
      .value(seconds(watch.armed_ns));
  out.counter("raceguard_watch_hits_total", "Accesses that a watchpoint saw.").value(watch.hits);
  out.counter("raceguard_watch_holds_total", "Threads held behind an access.").value(watch.holds);
  out.counter("raceguard_watch_hold_seconds_total", "How long they were held, all together.")
      .value(seconds(watch.hold_ns));
  out.counter("raceguard_watch_samples_total", "Samples of running code, to learn which memory it touches.")
      .value(watch.samples);
  out.gauge("raceguard_watch_registers", "Address registers of each CPU that the search has; 0: it cannot watch.")
      .value(std::uint64_t{watch.registers});
}

void put_drops(FamilyList& out, const Snapshot& snapshot) {
  out.counter("raceguard_drops_total", "What was lost, by reason; docs/metrics.md explains each.");
#define RG_DROP_METRIC(name, label, help) \
  out.value((name) < snapshot.drops.size() ? snapshot.drops[name] : std::uint64_t{0}, {{"reason", label}});
  RG_DROP_REASONS(RG_DROP_METRIC)
#undef RG_DROP_METRIC
}

void put_daemon(FamilyList& out, const Snapshot& snapshot) {
  out.gauge("raceguard_ready", "1 once the policy is loaded and its probes are attached.")
      .value(std::uint64_t{snapshot.ready});
  out.gauge("raceguard_policy_generation", "Policies loaded since the start; the newest is in force.")
      .value(snapshot.policy_generation);
  out.counter("raceguard_policy_reload_failures_total", "Reloads that kept the old policy because the new one is bad.")
      .value(snapshot.policy_reload_failures);
  out.gauge("raceguard_policy_reload_last_successful", "0 if the last reload failed.")
      .value(std::uint64_t{snapshot.policy_error.empty()});
  out.counter("raceguard_evidence_records_total", "Records written to the evidence file.")
      .value(snapshot.evidence_records);
  out.counter("raceguard_evidence_lost_total", "Records that could not be written and found no room to wait.")
      .value(snapshot.evidence_lost);
  out.gauge("raceguard_evidence_pending", "Records that wait for the disk.").value(snapshot.evidence_pending);
  out.gauge("raceguard_evidence_last_seq", "Number of the last record; compare it with the file's end.")
      .value(snapshot.evidence_last_seq);
  out.counter("raceguard_events_decoded_total", "Records of the ring that were decoded.")
      .value(snapshot.events_decoded);
  out.counter("raceguard_stacks_untrusted_total", "Stacks that could not be unwound to their end.")
      .value(snapshot.stacks_untrusted);
  out.counter("raceguard_ticks_total", "Turns of the daemon's loop.").value(snapshot.ticks);
  out.gauge("raceguard_tick_longest_seconds", "Longest turn of the loop so far.").value(seconds(snapshot.tick_ns_max));
  out.gauge("raceguard_build_info", "1; the labels say what runs.")
      .value(std::uint64_t{1},
             {{"version", snapshot.version}, {"uprobe_multi", snapshot.uprobe_multi ? "true" : "false"}});
}

void put_process(FamilyList& out, const Snapshot& snapshot, const ProcessFigures& process) {
  out.gauge("process_resident_memory_bytes", "Resident memory of the daemon.").value(process.resident_bytes);
  out.counter("process_cpu_seconds_total", "CPU time of the daemon, user and system.").value(process.cpu_seconds);
  out.gauge("process_open_fds", "Open file descriptors of the daemon.").value(process.open_fds);
  out.gauge("process_start_time_seconds", "Start of the daemon since the epoch.")
      .value(seconds(snapshot.started_realtime_ns));
}

}  // namespace

struct Metrics::State {
  explicit State(std::size_t top_k) : functions(top_k), locks(top_k) {}
  std::mutex mutex;
  std::int64_t seen_time_ns = -1;
  SeriesTable functions;
  SeriesTable locks;

  void observe(const Snapshot& snapshot) {
    if (snapshot.time_ns <= seen_time_ns) {
      return;
    }
    seen_time_ns = snapshot.time_ns;
    std::vector<SeriesTable::Source> function_sources;
    std::vector<SeriesTable::Source> lock_sources;
    for (const auto& figures : snapshot.functions) function_sources.push_back(source_of(figures));
    for (const auto& lock : snapshot.locks) lock_sources.push_back(source_of(lock));
    functions.observe(function_sources);
    locks.observe(lock_sources);
  }
};

Metrics::Metrics(std::size_t top_k) : state_(std::make_unique<State>(top_k)) {}
Metrics::~Metrics() = default;

void Metrics::observe(const Snapshot& snapshot) {
  const std::lock_guard lock(state_->mutex);
  state_->observe(snapshot);
}

std::string Metrics::render(const Snapshot& snapshot, const ProcessFigures& process, MetricsFormat format) {
  FamilyList out;
  {
    const std::lock_guard lock(state_->mutex);
    state_->observe(snapshot);
    put_functions(out, state_->functions.series());
    put_locks(out, state_->locks.series());
    out.counter("raceguard_condition_waits_total", "Waits for condition variables, semaphores and joins: idling.");
    for (const auto& one : state_->locks.idle()) out.value(one.sum.events, {{"guard", one.guard}});
  }
  put_switches(out, snapshot);
  put_targets(out, snapshot);
  put_deadlocks(out, snapshot);
  put_watch(out, snapshot.watch);
  put_budget(out, snapshot.budget);
  put_contention_budget(out, snapshot.budget);
  put_interceptions(out, snapshot.interceptions);
  put_bursts(out, snapshot.bursts);
  put_drops(out, snapshot);
  put_daemon(out, snapshot);
  put_process(out, snapshot, process);
  return format == MetricsFormat::kOpenMetrics ? to_openmetrics(out.families())
                                               : prometheus::TextSerializer().Serialize(out.families());
}

}  // namespace raceguard::exporting
