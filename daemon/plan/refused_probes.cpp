// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/refused_probes.h"

#include <vector>

namespace raceguard::plan {

void RefusedProbes::add(const FunctionProbe& probe, const Error& error) {
  refused_.insert_or_assign(attachment_key(probe), Omission{.guard = probe.guard,
                                                            .what = "function " + probe.symbol.demangled,
                                                            .reason = error.to_string(),
                                                            .code = error.code()});
}

void RefusedProbes::leave_out(ProbePlan& plan) const {
  std::erase_if(plan.functions, [&](const FunctionProbe& probe) {
    const auto found = refused_.find(attachment_key(probe));
    if (found == refused_.end()) {
      return false;
    }
    plan.omissions.push_back(found->second);
    return true;
  });
}

}  // namespace raceguard::plan
