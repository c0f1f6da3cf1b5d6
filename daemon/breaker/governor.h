// SPDX-License-Identifier: Apache-2.0
// Keeps the probes of guarded functions to their budget: exempts the dearest functions of a group of targets, then,
// when hits take too long, blows the fuse for all. Pure: the same samples at the same times with the same seed give the
// same steps. docs/budget.md says what they mean.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/breaker/group_budget.h"
#include "daemon/breaker/handling_fuse.h"
#include "daemon/breaker/model_check.h"

namespace raceguard::breaker {

// A group without a sample saw nothing, or is not due.
using GroupSpendings = std::map<std::string, GroupSpending>;

class Governor {
 public:
  Governor(const GovernorOptions& options, std::uint64_t seed) : options_(options), seed_(seed), fuse_(options, seed) {}

  // Shares by group. A group whose share changed begins anew: all its functions are probed again.
  void set_budgets(const std::map<std::string, double>& shares);

  // While the fuse is open samples are ignored, and exemptions wait for their end.
  std::vector<BudgetStep> tick(const Instant& now, std::int64_t elapsed_ns, const GroupSpendings& groups,
                               const Handling& handling);

  // Two series of windows say that a group's targets feel more than they are charged with (ModelCheck).
  std::vector<BudgetStep> judge_model(const Instant& now, const std::string& group, ModelCheck& check);

  [[nodiscard]] const std::map<std::string, GroupBudget>& groups() const { return groups_; }
  [[nodiscard]] const HandlingFuse& fuse() const { return fuse_; }

 private:
  GovernorOptions options_;
  std::uint64_t seed_;
  HandlingFuse fuse_;
  std::map<std::string, GroupBudget> groups_;
};

}  // namespace raceguard::breaker
