// SPDX-License-Identifier: Apache-2.0
// A budget desk beside a kernel that counts what a test says, targets that use CPU time as it says, and a clock that
// stands still until it is told.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/budget_desk.h"

namespace raceguard::app {

class DeskWorld : public Clock {
 public:
  static constexpr double kEntryNs = 1000;  // on an emulated instruction
  static constexpr double kReturnNs = 2000;
  static constexpr pid_t kTarget = 42;

  [[nodiscard]] std::int64_t monotonic_ns() const override { return now_ns; }
  [[nodiscard]] std::int64_t realtime_ns() const override { return now_ns; }

  explicit DeskWorld(double budget = 0.01) : policy(policy_with(budget)) {}
  DeskWorld(const DeskWorld&) = delete;
  DeskWorld& operator=(const DeskWorld&) = delete;

  static policy::Policy policy_with(double budget) {
    policy::Policy made;
    policy::Guard guard;
    guard.name = "shop";
    guard.budget = budget;
    guard.functions = {{.name = "hot"}, {.name = "cold"}};
    made.guards = {guard};
    made.daemon.exempt_error_ratio = 1;
    return made;
  }

  static plan::FunctionProbe probe_of(std::uint32_t id, const std::string& name) {
    plan::FunctionProbe probe{.function_id = id, .guard = "shop", .name = name};
    probe.symbol.name = probe.symbol.demangled = name;
    probe.symbol.address = 0x1000 * (id + 1);
    probe.binary.inode = 7;
    probe.site.file_offset = probe.symbol.address;
    probe.site.kind = symbols::SiteKind::kEmulated;
    probe.site.takes_return_probe = true;
    return probe;
  }

  static plan::ProbePlan plan_of(std::vector<plan::FunctionProbe> functions) {
    plan::ProbePlan plan;
    plan.targets = {{.id = {.pid = kTarget, .start_ticks = 1}, .guard_index = 0, .functions = true}};
    plan.functions = std::move(functions);
    return plan;
  }

  [[nodiscard]] BudgetSources sources() {
    return {
        .calibrate =
            [] {
              kernel::Calibration measured;
              measured.costs = {{"nop", symbols::SiteKind::kEmulated, kEntryNs}, {"return", std::nullopt, kReturnNs}};
              return measured;
            },
        .cpu_ns = [this](pid_t pid) { return cpu_ns[pid]; },
        .sessions = sessions};
  }

  // Calls that came back at once, of a slot.
  void call(std::uint32_t id, std::uint64_t calls) {
    counters[id].calls += calls;
    counters[id].returns += calls;
  }

  [[nodiscard]] std::vector<kernel::FunctionReading> readings() const {
    std::vector<kernel::FunctionReading> list;
    for (const auto& [id, sum] : counters) {
      list.push_back({.function_id = id, .sum = sum});
    }
    return list;
  }

  policy::Policy policy;
  bool sessions = false;
  std::int64_t now_ns = 1000 * kNsPerSecond;
  std::map<pid_t, std::int64_t> cpu_ns;
  std::map<std::uint32_t, rg_function_counters> counters;
};

}  // namespace raceguard::app
