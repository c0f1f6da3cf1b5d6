// SPDX-License-Identifier: Apache-2.0
// The circuit breaker of one switch. Pure: time, samples and the random seed are arguments, so the same inputs give the
// same decisions. The states and their transitions are in transitions.h; docs/breaker.md says what they mean.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "daemon/breaker/backoff.h"
#include "daemon/breaker/decision.h"
#include "daemon/breaker/judge.h"
#include "daemon/breaker/transitions.h"
#include "daemon/breaker/window.h"
#include "daemon/policy/policy.h"

namespace raceguard::breaker {

// A person's word against the breaker's.
struct Force {
  State state = State::kClosed;  // kOpen or kClosed
  std::string actor;             // "uid 0 (root)"
  std::string reason;
  std::int64_t until_ns = 0;           // CLOCK_MONOTONIC; 0: until released
  std::int64_t until_realtime_ns = 0;  // the same for people
};

struct Counts {
  std::uint64_t openings_enforced = 0;
  std::uint64_t openings_observed = 0;   // would have opened: mode observe
  std::uint64_t openings_held_back = 0;  // would have opened: max_open_switches
};

class Breaker {
 public:
  static constexpr std::size_t kHistory = 32;

  Breaker(policy::SwitchPolicy policy, std::uint64_t seed);

  // Takes in a tick's sample and judges; at most one decision. `may_open`: there is room under max_open_switches; it
  // matters in mode enforce only. Samples of an open switch are calls begun before it opened, and are ignored.
  std::optional<Decision> tick(const Instant& now, const Sample& sample, bool may_open);

  // `ttl_ns` 0: until release(). Applies in mode observe too, and whatever the cap is: a person has said so.
  Decision force(const Instant& now, State state, std::string actor, std::string reason, std::int64_t ttl_ns);
  // Nothing if no force is on.
  std::optional<Decision> release(const Instant& now, std::string actor, std::string reason);
  // Keeps state, window and force. A decision if the mode changed while the switch was not closed, because applications
  // then see another state.
  std::optional<Decision> set_policy(const Instant& now, policy::SwitchPolicy policy);
  // The policy has this switch no longer: closes it for good.
  std::optional<Decision> retire(const Instant& now);

  [[nodiscard]] const policy::SwitchPolicy& policy() const { return policy_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool enforced() const { return forced_ || policy_.mode == policy::SwitchMode::kEnforce; }
  // Applications see it open or half-open: it takes one of max_open_switches.
  [[nodiscard]] bool occupies() const { return enforced() && state_ != State::kClosed; }
  [[nodiscard]] const std::optional<Force>& forced() const { return forced_; }
  [[nodiscard]] std::int64_t held_back_since_ns() const { return held_back_since_ns_; }  // 0: not held back
  [[nodiscard]] std::uint32_t generation() const { return generation_; }
  [[nodiscard]] double allow_share() const;
  [[nodiscard]] std::int64_t next_change_ns() const;  // 0: not by time
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] const std::deque<Decision>& history() const { return history_; }  // newest last
  // The window (or the trial) against the thresholds that matter in this state.
  [[nodiscard]] std::vector<Measurement> current() const;

 private:
  struct Cause {
    std::string actor;
    std::string reason;
    std::vector<Measurement> evidence;
    bool counts_as_transition = true;
  };
  std::optional<Decision> tick_closed(const Instant& now, bool may_open);
  std::optional<Decision> tick_half_open(const Instant& now);
  std::optional<Decision> hold_back(const Instant& now, Verdict verdict);
  Decision end_force(const Instant& now, std::string actor, std::string reason);
  Decision move(const Instant& now, Event event, Cause cause);
  Decision record(const Instant& now, State from, Cause cause);
  void enter(const Instant& now, Event event, State from);
  [[nodiscard]] Minimums trial_minimums(bool at_deadline) const;
  [[nodiscard]] bool trial_is_complete() const;

  policy::SwitchPolicy policy_;
  Backoff backoff_;
  SlidingWindow window_;
  Totals trial_;
  State state_ = State::kClosed;
  std::int64_t open_until_ns_ = 0;
  std::int64_t trial_deadline_ns_ = 0;
  std::int64_t held_back_since_ns_ = 0;
  bool flapping_ = false;
  std::optional<Force> forced_;
  std::uint32_t generation_ = 0;
  Counts counts_;
  std::deque<Decision> history_;
};

}  // namespace raceguard::breaker
