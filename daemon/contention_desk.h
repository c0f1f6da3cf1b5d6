// SPDX-License-Identifier: Apache-2.0
// Charges what it costs to see futex calls to the targets that make them, and lets the watch rest where that is too
// much.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/breaker/contention_duty.h"
#include "daemon/detect/recent.h"
#include "daemon/export/budget_view.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"
#include "daemon/target_cpu.h"
#include "raceguard/abi/bpf.h"
#include "raceguard/clock.h"

namespace raceguard::app {

class ContentionDesk {
 public:
  // `clock` must outlive the desk.
  ContentionDesk(const policy::Policy& policy, const Clock& clock, TargetCpu::Read cpu_ns);

  // A guard whose budget is another one is watched all the time again.
  void reload(const policy::Policy& policy);
  // Targets changed.
  void follow(const plan::ProbePlan& plan);

  // Once a second is enough: a process's CPU time costs a system call.
  [[nodiscard]] bool is_due() const;
  // By guard index, as the kernel counted them so far. `hook_ns`: what the kernel takes to see one call, entry and
  // exit.
  std::vector<breaker::BudgetStep> tick(std::span<const rg_contention_counters> counted, double hook_ns);

  // Targets as they are to be watched now, where a tick or a change of the plan made them others than the plan's.
  [[nodiscard]] std::vector<plan::TargetEntry> take_changes();
  // Every guard's watch rests: nothing needs to see futex calls.
  [[nodiscard]] bool all_rest() const;

  [[nodiscard]] std::vector<exporting::ContentionBudgetView> view() const;

 private:
  struct Account {
    breaker::ContentionDuty duty;
    std::vector<plan::TargetEntry> targets;
    TargetCpu cpu;
    bool told_resting = false;  // take_changes() has said so
    detect::Recent<Spent> recent;
    exporting::ContentionBudgetView totals;
  };
  [[nodiscard]] std::int64_t charge(Account& account, const rg_contention_counters& now, std::size_t guard_index,
                                    double hook_ns);

  const Clock& clock_;
  TargetCpu::Read cpu_ns_;
  std::vector<std::string> guards_;          // by guard index
  std::map<std::string, Account> accounts_;  // of guards that watch contention
  std::vector<rg_contention_counters> last_;
  std::int64_t ticked_ns_ = 0;
};

}  // namespace raceguard::app
