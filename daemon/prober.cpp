// SPDX-License-Identifier: Apache-2.0
#include "daemon/prober.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "daemon/plan/difference.h"

namespace raceguard::app {

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
  return update();
}

Result<ProbeChanges> Prober::reload(const policy::Policy& policy) {
  auto changes = targets_.set_guards(policy.guards);
  if (!changes) {
    return fail(std::move(changes.error()));
  }
  policy_ = policy;
  pending_.append(std::move(*changes));
  ProbeChanges done = replan();  // thresholds and functions may differ even where no target does
  return done;
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
  return pending_.empty() ? ProbeChanges{} : replan();
}

ProbeChanges Prober::replan() {
  const targets::TargetChanges changes = std::exchange(pending_, {});
  ProbeChanges done;
  for (const targets::ProcessId& id : changes.removed) {
    done.forget_processes.push_back(id.pid);
  }
  const std::vector<targets::Target> all = targets_.list();
  plan::ProbePlan next = plan::build_plan(policy_, all, symbols_, plan_, limits_);
  symbols_.end_plan();
  done.difference = plan::difference(plan_, next);
  if (!done.difference.empty()) {
    done.errors = attachment_.apply(done.difference);
  }
  plan_ = std::move(next);
  return done;
}

std::uint32_t Prober::words_of(const std::string& switch_name) const {
  return static_cast<std::uint32_t>(std::count_if(plan_.words.begin(), plan_.words.end(),
                                                  [&](const auto& word) { return word.switch_name == switch_name; }));
}

}  // namespace raceguard::app
