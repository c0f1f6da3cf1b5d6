// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/lock_report_view.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/json_parts.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

std::string hex(std::uint64_t address) { return fmt::format("{:#x}", address); }

const char* kind_name(rg_lock_kind kind) {
  switch (kind) {
    case RG_LOCK_PTHREAD_RWLOCK:
      return "rwlock";
    case RG_LOCK_PTHREAD_SPIN:
      return "spin";
    default:
      return "mutex";
  }
}

json share_or_null(const detect::LockUse& use) {
  return use.reads + use.writes == 0 ? json(nullptr) : json(use.read_share());
}

json hold_json(const detect::LockUse& use) {
  return {{"p50", to_seconds(use.hold_quantile_ns(0.5))},
          {"p99", to_seconds(use.hold_quantile_ns(0.99))},
          {"max", to_seconds(use.hold_quantile_ns(1))},
          {"probes", to_seconds(use.probe_ns)},
          {"count", use.hold.total()}};
}

json lock_json(const detect::AdvisedLock& lock) {
  json advice = json::array();
  for (const detect::LockAdvice& each : lock.advice) {
    advice.push_back(
        {{"change", detect::kLockChangeNames[static_cast<std::size_t>(each.change)]}, {"text", each.text}});
  }
  const detect::LockUse& use = lock.use;
  return {{"name", lock.name},
          {"address", hex(lock.address)},
          {"kind", kind_name(use.kind)},
          {"acquisitions", use.acquisitions()},
          {"acquisitions_per_second",
           use.seconds > 0 ? json(static_cast<double>(use.acquisitions()) / use.seconds) : json(nullptr)},
          {"reads", use.reads},
          {"writes", use.writes},
          {"unknown", use.unknown},
          {"read_share", share_or_null(use)},
          {"contended", use.contended},
          {"wait_seconds", to_seconds(use.wait_ns)},
          {"hold_seconds", hold_json(use)},
          {"places", use.paths},
          {"write_places", use.write_paths},
          {"advice", std::move(advice)},
          {"stack", stack_json(lock.busiest)}};
}

json order_json(const detect::NamedOrder& step) {
  return {{"held", step.held},
          {"held_address", hex(step.order.key.held)},
          {"held_at", step.held_at},
          {"held_for_reading", step.order.key.held_for_reading},
          {"wanted", step.wanted},
          {"wanted_address", hex(step.order.key.wanted)},
          {"wanted_at", step.wanted_at},
          {"wanted_for_reading", step.order.key.wanted_for_reading},
          {"count", step.order.count},
          {"threads", step.order.threads},
          {"stack", stack_json(step.stack)}};
}

json cost_json(const detect::BurstCost& cost) {
  return {{"bursts", cost.bursts},
          {"on_seconds", to_seconds(cost.on_ns)},
          {"attached_seconds", to_seconds(cost.attached_ns)},
          {"elapsed_seconds", to_seconds(cost.elapsed_ns)},
          {"hits", cost.hits},
          {"foreign_hits", cost.foreign_hits},
          {"ended_early", cost.ended_early},
          {"cost_seconds", to_seconds(cost.cost_ns)},
          {"program_seconds", to_seconds(cost.program_ns)},
          {"target_cpu_seconds", to_seconds(cost.cpu_ns)}};
}

}  // namespace

json orders_json(const std::vector<detect::NamedOrder>& cycle) {
  json orders = json::array();
  for (const detect::NamedOrder& step : cycle) {
    orders.push_back(order_json(step));
  }
  return orders;
}

json lock_report_json(const detect::LockReport& report) {
  json document = {{"guard", text_or_null(report.guard)},
                   {"time", time_or_null(report.realtime_ns)},
                   {"pid", report.pid},
                   {"comm", report.comm},
                   {"total", report.total},
                   {"locks", json::array()},
                   {"cycles", json::array()},
                   {"cost", cost_json(report.cost)},
                   {"unseen_unlocks", report.unseen_unlocks},
                   {"doubted_orders", report.cost.doubted_orders},
                   {"drops", drops_json(report.drops)},
                   {"notes", report.notes}};
  for (const detect::AdvisedLock& lock : report.locks) {
    document["locks"].push_back(lock_json(lock));
  }
  for (const auto& cycle : report.cycles) {
    document["cycles"].push_back({{"kind", "lock_order"}, {"verdict", "likely"}, {"orders", orders_json(cycle)}});
  }
  return document;
}

}  // namespace raceguard::exporting
