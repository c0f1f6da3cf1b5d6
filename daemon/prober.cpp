// SPDX-License-Identifier: Apache-2.0
#include "daemon/prober.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/plan/difference.h"

namespace raceguard::app {
namespace {

// One takes 1 to 30 ms to attach, as busy as the machine is, and meanwhile nobody looks at what the others cost.
constexpr std::size_t kAttachedAtOnce = 16;

}  // namespace

Prober::Prober(const policy::Policy& policy, kernel::Attachment attachment, const symbols::KernelTreatment& treatment)
    : policy_(policy),
      attachment_(std::move(attachment)),
      targets_(policy.guards, targets::ProcessReader("/proc"), getpid()),
      symbols_(treatment),
      limits_{.max_functions = policy.daemon.max_functions, .max_targets = policy.daemon.max_targets} {}

Result<ProbeChanges> Prober::scan() {
  auto changes = targets_.scan();
  if (!changes) {
    return fail(std::move(changes.error()));
  }
  pending_.append(std::move(*changes));
  if (refused_.empty()) {
    return update();
  }
  refused_.clear();
  ProbeChanges done = replan();
  return done;
}

Result<ProbeChanges> Prober::reload(const policy::Policy& policy) {
  auto changes = targets_.set_guards(policy.guards);
  if (!changes) {
    return fail(std::move(changes.error()));
  }
  policy_ = policy;
  refused_.clear();
  pending_.append(std::move(*changes));
  ProbeChanges done = replan();  // thresholds and functions may differ even where no target does
  return done;
}

void Prober::leave_out(plan::LeftOutProbes probes, plan::ReturnShares returns) {
  left_out_ = std::move(probes);
  returns_ = std::move(returns);
  left_out_changed_ = true;
}

void Prober::on_event(const events::ProcessEvent& event) {
  using Kind = events::ProcessEvent::Kind;
  switch (event.kind) {
    case Kind::kFork:
      pending_.append(targets_.on_fork(event.parent_pid, event.pid));
      break;
    case Kind::kExec:
      pending_.append(targets_.on_exec(event.pid, event.uid, event.comm));
      break;
    case Kind::kExit:
      pending_.append(targets_.on_exit(event.pid));
      break;
  }
}

ProbeChanges Prober::update() {
  if (targets_.has_unsettled()) {
    pending_.append(targets_.settle());
  }
  return pending_.empty() && !left_out_changed_ && !postponed_ ? ProbeChanges{} : replan();
}

ProbeChanges Prober::replan() {
  const targets::TargetChanges changes = std::exchange(pending_, {});
  left_out_changed_ = false;
  ProbeChanges done{.replanned = true};
  for (const targets::ProcessId& id : changes.removed) {
    done.forget_processes.push_back(id.pid);
  }
  const std::vector<targets::Target> all = targets_.list();
  plan::ProbePlan next = plan::build_plan(policy_, all, symbols_, plan_, limits_);
  refused_.leave_out(next);
  left_out_.leave_out(next);
  returns_.apply(next);
  done.difference = plan::difference(plan_, next);
  postpone(next, done.difference);
  if (!done.difference.empty()) {
    attach(next, done);
  }
  plan_ = std::move(next);
  return done;
}

// The others leave this plan, as if the policy did not have them yet.
void Prober::postpone(plan::ProbePlan& next, plan::PlanDifference& difference) {
  auto& added = difference.add_functions;
  postponed_ = added.size() > kAttachedAtOnce;
  while (added.size() > kAttachedAtOnce) {
    std::erase_if(next.functions,
                  [&](const plan::FunctionProbe& probe) { return probe.function_id == added.back().function_id; });
    added.pop_back();
  }
}

// What the kernel refuses leaves plan and difference: it is not probed, and is tried again at the next scan only.
void Prober::attach(plan::ProbePlan& next, ProbeChanges& done) {
  done.errors = attachment_.apply(done.difference);
  for (const auto& [id, error] : attachment_.refused_functions()) {
    const auto probe = std::ranges::find(next.functions, id, &plan::FunctionProbe::function_id);
    if (probe != next.functions.end()) {
      refused_.add(*probe, error);
    }
    std::erase_if(done.difference.add_functions, [&](const auto& added) { return added.function_id == id; });
    std::erase_if(done.errors, [&](const Error& each) { return each.to_string() == error.to_string(); });
  }
  refused_.leave_out(next);
}

std::uint32_t Prober::words_of(const std::string& switch_name) const {
  return static_cast<std::uint32_t>(std::count_if(plan_.words.begin(), plan_.words.end(),
                                                  [&](const auto& word) { return word.switch_name == switch_name; }));
}

}  // namespace raceguard::app
