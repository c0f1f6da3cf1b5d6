// SPDX-License-Identifier: Apache-2.0
// Functions that the policy asks for and that are not to be probed for now: the kernel would not take them, or they
// cost too much. Kept apart, so that nobody counts them as probed, until they are tried again.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "daemon/plan/plan_keys.h"
#include "daemon/plan/probe_plan.h"
#include "raceguard/error.h"

namespace raceguard::plan {

class LeftOutProbes {
 public:
  void add(const FunctionProbe& probe, const Error& error);
  // Every function there is.
  void add_all(const Error& error) { all_ = error; }
  // From now on they may be tried again.
  void clear();
  [[nodiscard]] bool empty() const { return left_out_.empty() && !all_; }

  // Makes omissions of the plan's functions that are left out.
  void leave_out(ProbePlan& plan) const;

 private:
  std::map<decltype(attachment_key(std::declval<FunctionProbe>())), Omission> left_out_;
  std::optional<Error> all_;
};

}  // namespace raceguard::plan
