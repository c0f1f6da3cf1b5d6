// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/interception_metrics.h"

#include <array>
#include <string>
#include <string_view>

#include "daemon/export/interceptions_view.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/metric_families.h"

namespace raceguard::exporting {
namespace {

#define RG_LABEL(name, label, help) std::string_view(label),
constexpr std::array kReasons = {RG_FAIL_OPEN_REASONS(RG_LABEL)};
#undef RG_LABEL

MetricLabels labels_of(const GuardInterceptionsView& guard) { return {{"guard", guard.guard}}; }

MetricLabels labels_of(const GuardInterceptionsView& guard, const char* name, std::string_view value) {
  return {{"guard", guard.guard}, {name, std::string(value)}};
}

}  // namespace

// The labels are guards, and lists that are fixed: neither functions nor findings, of which there may be any number.
void put_interceptions(FamilyList& out, const InterceptionsView& interceptions) {
  const auto& guards = interceptions.guards;
  out.gauge("raceguard_interceptions", "Interceptions that go on: functions of one process kept from overlapping.");
  for (const auto& guard : guards) out.value(guard.running, labels_of(guard));
  out.counter("raceguard_interception_events_total",
              "Interceptions begun, ended, withdrawn for their cost, and so on.");
  for (const auto& guard : guards) {
    for (std::size_t i = 0; i < guard.events.size(); ++i) {
      out.value(guard.events.at(i), labels_of(guard, "event", kInterceptionEvents.at(i)));
    }
  }
  out.counter("raceguard_interception_calls_total", "Calls of functions that are kept apart.");
  for (const auto& guard : guards) out.value(guard.calls, labels_of(guard));
  out.counter("raceguard_interception_taken_total", "Of these, calls that had the slot to themselves.");
  for (const auto& guard : guards) out.value(guard.taken, labels_of(guard));
  out.counter("raceguard_interception_fail_open_total", "Calls that went on without the slot, by reason.");
  for (const auto& guard : guards) {
    for (std::size_t i = 0; i < kReasons.size(); ++i) {
      out.value(guard.opened.at(i), labels_of(guard, "reason", kReasons.at(i)));
    }
  }
  out.counter("raceguard_interception_waits_total", "Calls that waited for the slot, in vain or not.");
  for (const auto& guard : guards) out.value(guard.waits, labels_of(guard));
  out.counter("raceguard_interception_wait_seconds_total", "What calls waited for the slot.");
  for (const auto& guard : guards) out.value(to_seconds(guard.wait_ns), labels_of(guard));
  out.counter("raceguard_interception_cost_seconds_total",
              "What interception took of the targets' time: waits and probes.");
  for (const auto& guard : guards) out.value(to_seconds(guard.cost_ns), labels_of(guard));
  out.counter("raceguard_interception_proofs_total",
              "Proofs of the races that it closes, before, during and after it.");
  for (const auto& guard : guards) {
    for (std::size_t i = 0; i < guard.proofs.size(); ++i) {
      out.value(guard.proofs.at(i).proofs, labels_of(guard, "phase", kInterceptionPhases.at(i)));
    }
  }
  out.counter("raceguard_interception_watched_seconds_total",
              "How long the variables of these races were under watch.");
  for (const auto& guard : guards) {
    for (std::size_t i = 0; i < guard.proofs.size(); ++i) {
      out.value(to_seconds(guard.proofs.at(i).watched_ns), labels_of(guard, "phase", kInterceptionPhases.at(i)));
    }
  }
}

}  // namespace raceguard::exporting
