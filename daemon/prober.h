// SPDX-License-Identifier: Apache-2.0
// Keeps the kernel in line with the policy and the processes that run: targets + plan + attachment.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/events/event.h"
#include "daemon/kernel/attachment.h"
#include "daemon/plan/build_plan.h"
#include "daemon/plan/left_out_probes.h"
#include "daemon/plan/return_shares.h"
#include "daemon/plan/symbol_source.h"
#include "daemon/policy/policy.h"
#include "daemon/targets/target_set.h"
#include "raceguard/error.h"

namespace raceguard::app {

// What a change of the plan asks of the rest of the daemon.
struct ProbeChanges {
  std::vector<pid_t> forget_processes;  // gone, or another program since an exec
  plan::PlanDifference difference;
  bool replanned = false;  // targets or policy may have changed
  // What the kernel refused; the rest is done. A function that it refused is an omission of the plan instead.
  std::vector<Error> errors;
};

class Prober {
 public:
  Prober(const policy::Policy& policy, kernel::Attachment attachment, const symbols::KernelTreatment& treatment);

  // Lists /proc, plans and attaches: at start, then now and then for what events missed. Tries again what was refused.
  [[nodiscard]] Result<ProbeChanges> scan();
  // Fails if /proc cannot be listed; the policy before it is then in force as it was.
  [[nodiscard]] Result<ProbeChanges> reload(const policy::Policy& policy);

  // Functions that are not to be probed, though the kernel would, or of fewer returns than all; the next update()
  // carries it out.
  void leave_out(plan::LeftOutProbes probes, plan::ReturnShares returns);

  // Takes an event in; what follows from it is done by the next update().
  void on_event(const events::ProcessEvent& event);
  // Once a tick: plans anew if targets changed or are settling, or if functions wait to be probed.
  [[nodiscard]] ProbeChanges update();
  // Functions wait for the next update(): so many at once that their costs have to be looked at in between.
  [[nodiscard]] bool has_postponed() const { return postponed_; }

  [[nodiscard]] const targets::TargetSet& targets() const { return targets_; }
  [[nodiscard]] const plan::ProbePlan& plan() const { return plan_; }
  [[nodiscard]] kernel::Attachment& attachment() { return attachment_; }
  [[nodiscard]] std::uint32_t words_of(const std::string& switch_name) const;

 private:
  [[nodiscard]] ProbeChanges replan();
  void postpone(plan::ProbePlan& next, plan::PlanDifference& difference);
  void attach(plan::ProbePlan& next, ProbeChanges& done);

  policy::Policy policy_;
  kernel::Attachment attachment_;
  targets::TargetSet targets_;
  plan::SymbolSource symbols_;
  plan::PlanLimits limits_;
  plan::ProbePlan plan_;
  plan::LeftOutProbes refused_;
  plan::LeftOutProbes left_out_;
  plan::ReturnShares returns_;
  bool left_out_changed_ = false;
  bool postponed_ = false;
  targets::TargetChanges pending_;
};

}  // namespace raceguard::app
