// SPDX-License-Identifier: Apache-2.0
// The budget of one group of targets: what the probes of its functions may take of its CPU time. Pure: time, samples
// and the random seed are arguments.
//
// What is spent beyond the budget is a debt, which later thrift pays back. A debt of kCredit of the budget is too much:
// of the dearest functions only a share of the returns is seen, and where that does not do they are exempted, until the
// rest fits. So a burst is forgiven, a function that takes 2 % of a 1 % budget is sampled after two seconds, and one
// that is called a million times a second is exempted at the first sample.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/breaker/backoff.h"
#include "daemon/breaker/budget.h"
#include "daemon/breaker/shedding.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

class GroupBudget {
 public:
  // Targets that use less than this share of a CPU are taken to use it: an idle process would forbid a single call.
  static constexpr double kLeastCpuShare = 0.1;
  static constexpr std::int64_t kCreditNs = 2 * kNsPerSecond;  // of the budget's flow
  static constexpr std::int64_t kTrialNs = 10 * kNsPerSecond;  // or exempt_for, if that is shorter
  static constexpr double kRestoreShare = 0.8;  // of the bound that a trial, or more returns, have to keep below
  static constexpr std::int64_t kErrorWindowNs = 10 * kNsPerSecond;

  enum class State { kProbed, kExempt, kTrial };  // transitions: BudgetStep::Kind
  struct Function {
    std::string name;
    State state = State::kProbed;
    std::string reason;  // of the exemption
    Instant since;       // of the state
    std::int64_t next_change_ns =
        0;  // exempt: tried again then; on trial: judged then; sampled: more then at the soonest
    std::uint8_t level = kSeesAll;  // of the returns; while it is exempt it means nothing

    Backoff backoff;
    double recent_returns = 0;  // of the last kErrorWindowNs, older ones weigh less
    double recent_errors = 0;
    double recent_full_ns = 0;   // what all returns would have taken
    std::int64_t raised_ns = 0;  // when more returns were seen again
    bool can_sample = false;
    std::uint64_t trial_returns = 0;
  };

  // `share` 1 or more: no bound.
  GroupBudget(std::string group, double share, const GovernorOptions& options, std::uint64_t seed);

  // `spending` nothing: no sample; the time of an exemption passes all the same.
  std::vector<BudgetStep> tick(const Instant& now, const GroupSpending* spending);

  [[nodiscard]] double share() const { return share_; }
  [[nodiscard]] const std::map<std::string, Function>& functions() const { return functions_; }

 private:
  struct Bound {
    std::int64_t cost_ns = 0;  // of the functions that are not exempt
    double allowed_ns = 0;
    double cpu_ns = 0;  // that it is a share of
    std::int64_t elapsed_ns = 0;
    [[nodiscard]] double share() const { return cpu_ns > 0 ? static_cast<double>(cost_ns) / cpu_ns : 0; }
  };
  void take_in(const Instant& now, const GroupSpending& spending);
  [[nodiscard]] Bound bound_of(const GroupSpending& spending) const;
  void shed(const Instant& now, const GroupSpending& spending, std::vector<BudgetStep>& steps);
  void lower(const Instant& now, const FunctionSpending& spending, std::uint8_t level, const Bound& bound,
             std::vector<BudgetStep>& steps);
  void see_more(const Instant& now, std::vector<BudgetStep>& steps);
  void judge_errors(const Instant& now, const GroupSpending& spending, std::vector<BudgetStep>& steps);
  void judge_trial(const Instant& now, std::vector<BudgetStep>& steps);
  void begin_trial(const Instant& now, std::vector<BudgetStep>& steps);
  [[nodiscard]] std::optional<std::string> on_trial() const;
  [[nodiscard]] BudgetStep exempt(const Instant& now, const std::string& key, std::string reason,
                                  std::vector<Measurement> evidence);

  std::string group_;
  double share_;
  GovernorOptions options_;
  policy::SwitchPolicy retry_;  // the times of the back-off
  std::uint64_t seed_;
  std::map<std::string, Function> functions_;
  double debt_ns_ = 0;
  double recent_cost_ns_ = 0;  // of the last kErrorWindowNs, older ones weigh less
  double recent_allowed_ns_ = 0;
  Bound trial_;  // sums of the trial, if one is on
};

}  // namespace raceguard::breaker
