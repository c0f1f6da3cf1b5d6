// SPDX-License-Identifier: Apache-2.0
// The global fuse: on a machine where handling one hit takes too long no function is probed, however seldom it is
// called, because it is the caller who waits. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/breaker/backoff.h"
#include "daemon/breaker/budget.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

class HandlingFuse {
 public:
  static constexpr std::uint64_t kMinimumHits = 100;
  static constexpr std::int64_t kWindowNs = kNsPerSecond;
  static constexpr std::int64_t kTrialNs = 10 * kNsPerSecond;  // or exempt_for, if that is shorter
  static constexpr double kCloseShare = 0.8;                   // of the bound that a trial has to keep below

  enum class State { kClosed, kOpen, kTrial };  // transitions: BudgetStep::Kind

  HandlingFuse(const GovernorOptions& options, std::uint64_t seed);

  std::optional<BudgetStep> tick(const Instant& now, std::int64_t elapsed_ns, const Handling& handling);

  // For a reason that is not the handling: what probes are charged with is wrong by far. Not while it is open.
  BudgetStep blow(const Instant& now, std::string reason, std::vector<Measurement> evidence);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  [[nodiscard]] std::int64_t next_change_ns() const { return next_change_ns_; }
  [[nodiscard]] double mean_ns() const { return hits_ > 0 ? total_ns_ / hits_ : 0; }

 private:
  BudgetStep move(const Instant& now, BudgetStep::Kind kind, std::string reason);

  GovernorOptions options_;
  policy::SwitchPolicy retry_;
  Backoff backoff_;
  State state_ = State::kClosed;
  std::string reason_;
  std::int64_t next_change_ns_ = 0;
  double hits_ = 0;  // of the last kWindowNs, older ones weigh less; on trial: of all of it
  double total_ns_ = 0;
};

}  // namespace raceguard::breaker
