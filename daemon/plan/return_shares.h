// SPDX-License-Identifier: Apache-2.0
// Functions of whose calls only a share comes back to be seen, because all would cost too much.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "daemon/plan/plan_keys.h"
#include "daemon/plan/probe_plan.h"

namespace raceguard::plan {

class ReturnShares {
 public:
  // The return of one call in 2^shift.
  void set(const FunctionProbe& probe, std::uint8_t shift) { shifts_.insert_or_assign(attachment_key(probe), shift); }

  void apply(ProbePlan& plan) const {
    for (FunctionProbe& probe : plan.functions) {
      const auto found = shifts_.find(attachment_key(probe));
      probe.return_shift = found == shifts_.end() ? std::uint8_t{0} : found->second;
    }
  }

 private:
  std::map<decltype(attachment_key(std::declval<FunctionProbe>())), std::uint8_t> shifts_;
};

}  // namespace raceguard::plan
