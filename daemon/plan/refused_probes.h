// SPDX-License-Identifier: Apache-2.0
// Functions that were planned and that the kernel would not take: kept apart, so that nobody counts them as probed,
// until they are tried again.
#pragma once

#include <map>
#include <utility>

#include "daemon/plan/plan_keys.h"
#include "daemon/plan/probe_plan.h"
#include "raceguard/error.h"

namespace raceguard::plan {

class RefusedProbes {
 public:
  void add(const FunctionProbe& probe, const Error& error);
  // From now on they may be tried again.
  void clear() { refused_.clear(); }
  [[nodiscard]] bool empty() const { return refused_.empty(); }

  // Makes omissions of the plan's functions that were refused.
  void leave_out(ProbePlan& plan) const;

 private:
  std::map<decltype(attachment_key(std::declval<FunctionProbe>())), Omission> refused_;
};

}  // namespace raceguard::plan
