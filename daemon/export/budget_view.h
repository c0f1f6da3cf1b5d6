// SPDX-License-Identifier: Apache-2.0
// What probes of functions and the watch of futex calls cost, and what was done about it, as readers see it; a part of
// the Snapshot.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/breaker/budget.h"
#include "daemon/breaker/model_check.h"

namespace raceguard::exporting {

struct GuardBudgetView {
  std::string guard;
  double limit = 0;                   // share of the targets' CPU time
  double share = 0;                   // of the last ten seconds
  breaker::ModelCheck::Result model;  // what targets feel, in times of what they are charged with
  std::int64_t cost_ns = 0;           // of all its functions since the start, as all below
  std::int64_t cpu_ns = 0;            // of its targets, while functions were probed
  std::uint64_t hits = 0;
  std::uint64_t foreign_hits = 0;                                       // of these, by processes that are no target
  std::array<std::uint64_t, breaker::kBudgetStepNames.size()> steps{};  // by BudgetStep::Kind
};

// A function that the governor limits.
struct ExemptionView {
  enum class State { kExempt, kTrial, kSampled };  // not probed; probed again to see what it costs; few returns seen
  std::string guard;
  std::string name;  // of the FunctionGuard
  std::string symbol;
  std::string reason;
  State state = State::kExempt;
  double return_share = 0;  // of its calls, those whose return is seen
  std::int64_t since_realtime_ns = 0;
  std::int64_t next_change_ns = 0;  // monotonic
};

// Of one guard's contention watch.
struct ContentionBudgetView {
  std::string guard;
  double limit = 0;          // share of the targets' CPU time
  double share = 0;          // of the last ten seconds
  double watched_share = 1;  // of the time, in which locks are watched
  bool resting = false;      // they are not, now
  std::int64_t cost_ns = 0;  // since the start, as all below
  std::int64_t cpu_ns = 0;   // of its targets
  std::uint64_t calls = 0;   // futex calls
  std::uint64_t steps_less = 0;
  std::uint64_t steps_more = 0;
};

struct BudgetView {
  bool calibrated = false;  // else the costs are those of a bare machine, the least there are
  bool fuse_open = false;
  std::string fuse_reason;
  std::int64_t fuse_next_change_ns = 0;  // monotonic; 0: not by time
  std::array<std::uint64_t, breaker::kBudgetStepNames.size()> fuse_steps{};
  double handling_ns = 0;  // mean of a hit in the last second
  std::vector<GuardBudgetView> guards;
  std::vector<ContentionBudgetView> contention;
  std::vector<ExemptionView> exemptions;
};

}  // namespace raceguard::exporting
