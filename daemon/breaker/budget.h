// SPDX-License-Identifier: Apache-2.0
// What the governor of probe costs is told and what it decides (docs/budget.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/breaker/decision.h"

namespace raceguard::breaker {

// What the probes of one function took since the sample before.
struct FunctionSpending {
  std::string key;   // which function, over all samples
  std::string name;  // for people
  std::int64_t cost_ns = 0;
  std::int64_t returns_ns = 0;  // of it, what the returns took; 0 where they cannot be sampled
  bool can_sample = false;      // a share of the returns costs less than all
  std::uint64_t returns = 0;    // calls that came back and were seen
  std::uint64_t errors = 0;
  bool exempt_for_errors = false;  // no breaker judges them
};

// A group of targets since the sample before: all functions that are probed for it, silent ones too.
struct GroupSpending {
  std::int64_t elapsed_ns = 0;
  std::int64_t cpu_ns = 0;  // CPU time of the targets
  std::vector<FunctionSpending> functions;
};

// Hits of all probes of all groups since the sample before.
struct Handling {
  std::uint64_t hits = 0;
  std::int64_t total_ns = 0;
};

struct GovernorOptions {
  std::int64_t exempt_for_ns = 60'000'000'000;  // first time; doubled after each trial that failed, up to an hour
  double exempt_error_ratio = 0.15;             // 1 or more: never
  std::uint32_t exempt_minimum_calls = 100;
  std::int64_t fuse_handling_ns = 50'000;  // mean of a hit
  double fuse_model_error = 5;             // times what is charged; 1000 or more: never
};

// A change of what is probed, with the evidence for it.
struct BudgetStep {
  enum class Kind {
    kSample,      // probed -> probed, and the returns of fewer calls are seen
    kSampleMore,  // the other way: of more calls, or of all
    kExempt,      // probed or on trial -> exempt: the function's probe is detached
    kTry,         // exempt -> on trial: it is probed again, for its time is over
    kRestore,     // on trial -> probed: it kept to the budget
    kWatchLess,   // the contention watch rests for more of the time
    kWatchMore,   // for less, or not at all
    kFuseOpen,    // every function's probe is detached
    kFuseTry,     // they are back, on trial
    kFuseClose,   // they stay
  };
  Kind kind = Kind::kExempt;
  std::string group;  // empty: all
  std::string key;    // of the function; empty: all
  std::string name;   // of the function, for people
  std::string reason;
  std::vector<Measurement> evidence;
  Instant time;
  std::int64_t next_change_ns = 0;  // monotonic: when it is tried again, or the trial ends; 0: not by time
  double return_share = 1;          // kSample, kSampleMore: of the calls, those whose return is seen from now on
  double watch_share = 1;           // kWatchLess, kWatchMore: of the time, that in which locks are watched
};

inline constexpr std::array<std::string_view, 10> kBudgetStepNames = {
    "sample",     "sample_more", "exempt",    "try",      "restore",
    "watch_less", "watch_more",  "fuse_open", "fuse_try", "fuse_close"};
constexpr std::string_view to_string(BudgetStep::Kind kind) {
  return kBudgetStepNames.at(static_cast<std::size_t>(kind));
}

}  // namespace raceguard::breaker
