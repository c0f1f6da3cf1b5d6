// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/left_out_probes.h"

#include <vector>

namespace raceguard::plan {
namespace {

Omission omission_of(const FunctionProbe& probe, const Error& error) {
  return {.guard = probe.guard,
          .what = "function " + probe.symbol.demangled,
          .reason = error.to_string(),
          .code = error.code()};
}

}  // namespace

void LeftOutProbes::add(const FunctionProbe& probe, const Error& error) {
  left_out_.insert_or_assign(attachment_key(probe), omission_of(probe, error));
}

void LeftOutProbes::clear() {
  left_out_.clear();
  all_.reset();
}

void LeftOutProbes::leave_out(ProbePlan& plan) const {
  std::erase_if(plan.functions, [&](const FunctionProbe& probe) {
    const auto found = left_out_.find(attachment_key(probe));
    if (found != left_out_.end()) {
      plan.omissions.push_back(found->second);
    } else if (all_) {
      plan.omissions.push_back(omission_of(probe, *all_));
    }
    return found != left_out_.end() || all_.has_value();
  });
}

}  // namespace raceguard::plan
