// SPDX-License-Identifier: Apache-2.0
#include "daemon/check_policy.h"

#include <unistd.h>

#include <fmt/core.h>

#include "daemon/detect/site_text.h"
#include "daemon/omission_text.h"
#include "daemon/plan/build_plan.h"
#include "daemon/plan/symbol_source.h"
#include "daemon/targets/target_set.h"

namespace raceguard::app {

Result<PolicyCheck> plan_now(const policy::Policy& policy) {
  targets::TargetSet targets(policy.guards, targets::ProcessReader("/proc"), getpid());
  if (auto scanned = targets.scan(); !scanned) {
    return fail(std::move(scanned.error()));
  }
  plan::SymbolSource symbols({});
  const auto running = targets.list();
  return PolicyCheck{.targets = running.size(),
                     .plan = plan::build_plan(
                         policy, running, symbols, {},
                         {.max_functions = policy.daemon.max_functions, .max_targets = policy.daemon.max_targets})};
}

int check_policy(const policy::Policy& policy) {
  const auto checked = plan_now(policy);
  if (!checked) {
    fmt::print(stderr, "{}\n", checked.error().to_string());
    return 2;
  }
  const plan::ProbePlan& plan = checked->plan;
  int status = 0;
  for (const plan::Omission& omission : plan.omissions) {
    const bool mistake = PolicyCheck::is_mistake(omission);
    fmt::print(stderr, "{}: {}\n", mistake ? "error" : "warning", omission_text(policy, omission));
    status = mistake ? 2 : status;
  }
  for (const std::string& text : guards_without_target(policy, plan)) {
    fmt::print(stderr, "warning: {}, so its functions were not checked\n", text);
  }
  for (const plan::FunctionProbe& probe : plan.functions) {
    fmt::print("would probe {} in {}: {} at +{:#x}\n", probe.symbol.demangled, probe.host_path, probe.site.instruction,
               probe.site.function_offset);
  }
  fmt::print("{}: {}, {}, {}\n", status == 0 ? "valid" : "not valid",
             policy.guards.size() == 1 ? "1 policy" : fmt::format("{} policies", policy.guards.size()),
             detect::count_text(checked->targets, "running target"),
             detect::count_text(plan.functions.size(), "function"));
  return status;
}

}  // namespace raceguard::app
