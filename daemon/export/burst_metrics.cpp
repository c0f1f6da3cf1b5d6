// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/burst_metrics.h"

#include "daemon/export/burst_view.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/metric_families.h"

namespace raceguard::exporting {

// The labels are guards: as many as the policy has, whatever is found.
void put_bursts(FamilyList& out, const BurstView& bursts) {
  const auto label = [](const GuardBurstView& guard) { return MetricLabels{{"guard", guard.guard}}; };
  out.gauge("raceguard_bursts_possible", "0 where a policy wants lock bursts and there can be none, or not now.")
      .value(std::uint64_t{!bursts.wanted || (bursts.trouble.empty() && !bursts.held)});
  out.counter("raceguard_bursts_total",
              "Lock bursts: some milliseconds in which all lock calls of a process are seen.");
  for (const auto& guard : bursts.guards) out.value(guard.bursts, label(guard));
  out.counter("raceguard_bursts_ended_early_total", "Of these, those that reached their limit of hits.");
  for (const auto& guard : bursts.guards) out.value(guard.ended_early, label(guard));
  out.counter("raceguard_burst_seconds_total", "How long they were on, all together.");
  for (const auto& guard : bursts.guards) out.value(to_seconds(guard.on_ns), label(guard));
  out.counter("raceguard_burst_hits_total", "Hits of probes on lock functions, also while probes come and go.");
  for (const auto& guard : bursts.guards) out.value(guard.hits, label(guard));
  out.counter("raceguard_burst_cost_seconds_total", "What bursts took of the targets' CPU time.");
  for (const auto& guard : bursts.guards) out.value(to_seconds(guard.cost_ns), label(guard));
  out.counter("raceguard_burst_target_cpu_seconds_total",
              "CPU time of the processes that have bursts, until the last one.");
  for (const auto& guard : bursts.guards) out.value(to_seconds(guard.cpu_ns), label(guard));
  out.gauge("raceguard_burst_limit_ratio", "The share of the targets' CPU time that bursts may take.");
  for (const auto& guard : bursts.guards) out.value(guard.limit, label(guard));
  out.gauge("raceguard_burst_processes", "Processes that have bursts now; others may wait for their turn.");
  for (const auto& guard : bursts.guards) out.value(guard.processes, label(guard));
  out.gauge("raceguard_burst_waiting_processes", "Processes that wait for their turn.");
  for (const auto& guard : bursts.guards) out.value(guard.waiting, label(guard));
  out.counter("raceguard_burst_doubted_orders_total",
              "Orders of locks that do not count: their thread had a lock that was not seen to be taken.");
  for (const auto& guard : bursts.guards) out.value(guard.doubted_orders, label(guard));
  out.gauge("raceguard_lock_order_cycles", "Orders of locks that can end in a deadlock, in the processes of now.");
  for (const auto& guard : bursts.guards) out.value(guard.cycles, label(guard));
}

}  // namespace raceguard::exporting
