// SPDX-License-Identifier: Apache-2.0
// Charges the probes of functions to their targets, asks the governor, and says which functions are to be left out.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/breaker/governor.h"
#include "daemon/detect/finding.h"
#include "daemon/detect/recent.h"
#include "daemon/export/budget_view.h"
#include "daemon/hit_costs.h"
#include "daemon/kernel/attachment.h"
#include "daemon/plan/left_out_probes.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/plan/return_shares.h"
#include "daemon/policy/policy.h"
#include "daemon/program_times.h"
#include "daemon/target_cpu.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// What the desk asks of the machine.
struct BudgetSources {
  HitCosts::Calibrate calibrate;
  TargetCpu::Read cpu_ns;
  bool sessions = false;  // of Attachment::uses_uprobe_session()
  [[nodiscard]] static BudgetSources of_this_machine(bool sessions);
};

class BudgetDesk {
 public:
  // `clock` must outlive the desk.
  BudgetDesk(const policy::Policy& policy, const Clock& clock, std::uint64_t seed, BudgetSources sources);

  // Before the first probe is set: what a hit costs, if the policy has functions.
  void learn_costs();

  // A policy whose budget is another one has all its functions back.
  void reload(const policy::Policy& policy);
  // Targets or probes changed.
  void follow(const plan::ProbePlan& plan);

  // What the kernel counted since the last tick; the steps that follow from it, to be written down. After a step
  // left_out() and returns() are others.
  std::vector<breaker::BudgetStep> tick(std::span<const kernel::FunctionReading> readings);
  // After a tick: functions whose returns are hidden or seen from now on, to hold the model against their callers.
  [[nodiscard]] std::vector<plan::FunctionProbe> take_hidden_changes() { return std::exchange(hidden_changes_, {}); }
  [[nodiscard]] plan::LeftOutProbes left_out() const;
  [[nodiscard]] plan::ReturnShares returns() const;

  [[nodiscard]] const HitCosts& costs() const { return costs_; }

  // Adds costs to the figures of functions.
  void add_costs(std::vector<detect::FunctionFigures>& figures) const;
  [[nodiscard]] exporting::BudgetView view() const;
  [[nodiscard]] bool fuse_open() const { return governor_.fuse().state() == breaker::HandlingFuse::State::kOpen; }

 private:
  struct Account {  // of one slot of the kernel's
    plan::FunctionProbe probe;
    std::string key;
    bool exempt_for_errors = false;
    rg_function_counters last{};
    breaker::FunctionSpending pending;
    std::int64_t cost_ns = 0;
    detect::Recent<Spent> recent;
  };
  struct Group {
    TargetCpu cpu;
    std::int64_t read_ns = 0;     // when it was read last
    std::int64_t pending_ns = 0;  // cost since
    detect::Recent<Spent> recent;
    exporting::GuardBudgetView totals;
    std::optional<breaker::ModelCheck> check;
  };
  struct Limited {  // what the governor has not left as it was
    plan::FunctionProbe probe;
    std::string key;
  };

  void time_programs(std::span<const kernel::FunctionReading> readings, std::int64_t elapsed_ns);
  // Of the kernel and of the program behind it.
  [[nodiscard]] double entry_ns(const Account& account) const;
  [[nodiscard]] double return_ns(const Account& account) const;
  [[nodiscard]] double return_hit_ns(const Account& account) const;
  // One link for entry and return, whose program says at the entry whether the return is wanted.
  [[nodiscard]] bool has_session(const Account& account) const;
  [[nodiscard]] double foreign_ns(const Account& account) const;
  [[nodiscard]] const breaker::GroupBudget::Function& function_of(const Limited& limited) const;
  [[nodiscard]] double program_ns() const { return programs_.mean_ns(); }
  void charge(Account& account, const rg_function_counters& now, breaker::Handling& handling);
  [[nodiscard]] bool is_due(const Group& group, std::int64_t now_ns) const;
  [[nodiscard]] breaker::GroupSpending close_sample(const std::string& name, Group& group, std::int64_t now_ns);
  // budget_desk_model.cpp
  void check_models(const breaker::Instant& now, std::vector<breaker::BudgetStep>& steps);
  [[nodiscard]] breaker::ModelFigures model_figures(const std::string& name, const Group& group) const;
  void hide_returns(const std::string& name, bool hidden);
  void take(const breaker::BudgetStep& step);
  void forget_restored();

  const Clock& clock_;
  BudgetSources sources_;
  HitCosts costs_;
  breaker::Governor governor_;
  std::vector<std::string> guards_;               // by guard index
  std::map<std::string, bool> judged_by_switch_;  // by function name
  std::map<std::uint32_t, Account> accounts_;
  std::map<std::string, Group> groups_;  // by guard; those that name functions
  std::vector<Limited> limited_;         // exempt, on trial, or sampled
  std::array<std::uint64_t, breaker::kBudgetStepNames.size()> fuse_steps_{};
  std::uint64_t seed_;
  std::uint64_t epoch_ = 0;  // another one whenever processes or probes changed
  std::vector<plan::FunctionProbe> hidden_changes_;
  std::int64_t ticked_ns_ = 0;
  ProgramTimes programs_;
};

}  // namespace raceguard::app
