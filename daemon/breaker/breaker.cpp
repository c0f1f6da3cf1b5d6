// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/breaker.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace raceguard::breaker {
namespace {

constexpr const char* kBreakerActor = "breaker";

bool judges_calls(const policy::SwitchPolicy& policy) { return policy.open_slow_ratio || policy.open_error_ratio; }

// What a trial without any call or wait tells nothing about; races are what it hopes not to see.
bool judges_load(const policy::SwitchPolicy& policy) { return judges_calls(policy) || policy.open_lock_wait_p99_ns; }

}  // namespace

Breaker::Breaker(policy::SwitchPolicy policy, std::uint64_t seed)
    : policy_(std::move(policy)), backoff_(seed), window_(policy_.window) {}

std::optional<Decision> Breaker::tick(const Instant& now, const Sample& sample, bool may_open) {
  if (state_ == State::kClosed) {
    window_.add(now.monotonic_ns, sample);
  } else if (state_ == State::kHalfOpen) {
    trial_.add(sample);
  }
  if (forced_) {
    if (forced_->until_ns == 0 || now.monotonic_ns < forced_->until_ns) {
      return std::nullopt;
    }
    return end_force(now, kBreakerActor, fmt::format("time-to-live of the force by {} is over", forced_->actor));
  }
  switch (state_) {
    case State::kClosed:
      return tick_closed(now, may_open);
    case State::kOpen:
      if (now.monotonic_ns < open_until_ns_) {
        return std::nullopt;
      }
      return move(now, Event::kOpenTimeOver, {kBreakerActor, "time open is over, trying the real function", {}});
    case State::kHalfOpen:
      return tick_half_open(now);
  }
  return std::nullopt;
}

std::optional<Decision> Breaker::tick_closed(const Instant& now, bool may_open) {
  Verdict verdict = judge_for_opening(policy_, window_.totals());
  if (!verdict.reached) {
    held_back_since_ns_ = 0;
    return std::nullopt;
  }
  if (!may_open && policy_.mode == policy::SwitchMode::kEnforce) {
    return hold_back(now, std::move(verdict));
  }
  return move(now, Event::kThresholdReached,
              {kBreakerActor, std::move(verdict.reason), std::move(verdict.measurements)});
}

// Once per hold, not once per tick: the evidence file records decisions.
std::optional<Decision> Breaker::hold_back(const Instant& now, Verdict verdict) {
  if (held_back_since_ns_ != 0) {
    return std::nullopt;
  }
  held_back_since_ns_ = now.monotonic_ns;
  ++counts_.openings_held_back;
  Decision decision = record(
      now, state_,
      {kBreakerActor, verdict.reason + ", held back by max_open_switches", std::move(verdict.measurements), false});
  decision.enforced = false;
  decision.held_back = true;
  history_.back() = decision;
  return decision;
}

// Before the deadline a trial is judged by ratios only when it is complete, but by lock waits as soon as there are
// enough to reopen; at the deadline by whatever there is.
Minimums Breaker::trial_minimums(bool at_deadline) const {
  if (at_deadline) {
    return {.calls = 1, .waits = 1};
  }
  return {.calls = std::max<std::uint64_t>(1, policy_.half_open_calls),
          .waits = std::max<std::uint64_t>(1, policy_.minimum_waits)};
}

// Without thresholds on calls a trial has no number of calls to wait for: absence of waits is what it hopes for, and
// only the deadline can tell it.
bool Breaker::trial_is_complete() const {
  return judges_calls(policy_) && trial_.calls >= std::max<std::uint64_t>(1, policy_.half_open_calls);
}

std::optional<Decision> Breaker::tick_half_open(const Instant& now) {
  const bool at_deadline = now.monotonic_ns >= trial_deadline_ns_;
  if (at_deadline && trial_.empty() && judges_load(policy_)) {
    return move(now, Event::kTrialEmpty, {kBreakerActor, "no trial call came before the deadline, closing", {}});
  }
  Verdict verdict = judge_for_closing(policy_, trial_, trial_minimums(at_deadline));
  if (verdict.reached) {
    return move(now, Event::kTrialFailed,
                {kBreakerActor, "trial failed: " + verdict.reason, std::move(verdict.measurements)});
  }
  if (!at_deadline && !trial_is_complete()) {
    return std::nullopt;
  }
  return move(now, Event::kTrialPassed,
              {kBreakerActor,
               fmt::format("trial passed: {} calls, {} lock waits, all values below the thresholds to close",
                           trial_.calls, trial_.waits),
               std::move(verdict.measurements)});
}

Decision Breaker::force(const Instant& now, State state, std::string actor, std::string reason, std::int64_t ttl_ns) {
  assert(state != State::kHalfOpen);
  forced_ = Force{.state = state,
                  .actor = actor,
                  .reason = reason,
                  .until_ns = ttl_ns > 0 ? now.monotonic_ns + ttl_ns : 0,
                  .until_realtime_ns = ttl_ns > 0 ? now.realtime_ns + ttl_ns : 0};
  held_back_since_ns_ = 0;
  return move(now, state == State::kOpen ? Event::kForcedOpen : Event::kForcedClosed,
              {std::move(actor), std::move(reason), {}});
}

std::optional<Decision> Breaker::release(const Instant& now, std::string actor, std::string reason) {
  if (!forced_) {
    return std::nullopt;
  }
  return end_force(now, std::move(actor), std::move(reason));
}

Decision Breaker::end_force(const Instant& now, std::string actor, std::string reason) {
  forced_.reset();
  const bool enforce = policy_.mode == policy::SwitchMode::kEnforce;
  return move(now, enforce ? Event::kForceEnded : Event::kForceEndedObserving,
              {std::move(actor), std::move(reason), {}});
}

std::optional<Decision> Breaker::set_policy(const Instant& now, policy::SwitchPolicy policy) {
  const bool mode_changed = policy.mode != policy_.mode;
  const bool window_changed =
      policy.window.duration_ns != policy_.window.duration_ns || policy.window.calls != policy_.window.calls;
  policy_ = std::move(policy);
  if (window_changed) {
    window_ = SlidingWindow(policy_.window);
  }
  if (!mode_changed || forced_ || state_ == State::kClosed) {
    return std::nullopt;
  }
  const State from = state_;
  const bool enforce = policy_.mode == policy::SwitchMode::kEnforce;
  if (enforce) {
    // What was only observed has not been weighed against the cap: start closed, and let the evidence open it.
    state_ = State::kClosed;
    window_.clear();
  }
  return record(now, from, {"policy", enforce ? "mode is enforce now, starting closed" : "mode is observe now", {}});
}

std::optional<Decision> Breaker::retire(const Instant& now) {
  if (state_ == State::kClosed && !forced_) {
    return std::nullopt;
  }
  const State from = std::exchange(state_, State::kClosed);
  forced_.reset();
  return record(now, from, {"policy", "the policy has this switch no longer", {}});
}

Decision Breaker::move(const Instant& now, Event event, Cause cause) {
  const State from = state_;
  state_ = next_state(from, event).value_or(from);
  enter(now, event, from);
  Decision decision = record(now, from, std::move(cause));
  if (event == Event::kThresholdReached) {
    ++(decision.enforced ? counts_.openings_enforced : counts_.openings_observed);
  }
  return decision;
}

void Breaker::enter(const Instant& now, Event event, State from) {
  held_back_since_ns_ = 0;
  if (event == Event::kTrialFailed) {
    backoff_.note_failed_trial();
  } else if (event == Event::kTrialPassed) {
    backoff_.note_passed_trial();
  } else if (event == Event::kThresholdReached) {
    backoff_.note_opening(policy_, now.monotonic_ns);
  }
  flapping_ = state_ == State::kOpen && !forced_ && backoff_.is_flapping(policy_, now.monotonic_ns);
  switch (state_) {
    case State::kOpen:
      open_until_ns_ = forced_ ? 0 : now.monotonic_ns + backoff_.open_time_ns(policy_, now.monotonic_ns);
      break;
    case State::kHalfOpen:
      trial_ = {};
      trial_deadline_ns_ = now.monotonic_ns + policy_.half_open_deadline_ns;
      break;
    case State::kClosed:
      if (from != State::kClosed) {
        window_.clear();  // what opened it must not open it again
      }
      break;
  }
}

Decision Breaker::record(const Instant& now, State from, Cause cause) {
  if (cause.counts_as_transition) {
    ++generation_;
  }
  Decision decision{.switch_name = policy_.name,
                    .from = from,
                    .to = state_,
                    .enforced = enforced(),
                    .forced = forced_.has_value(),
                    .flapping = flapping_,
                    .reason = std::move(cause.reason),
                    .actor = std::move(cause.actor),
                    .evidence = std::move(cause.evidence),
                    .time_ns = now.monotonic_ns,
                    .realtime_ns = now.realtime_ns,
                    .generation = generation_,
                    .allow_share = allow_share(),
                    .next_change_ns = next_change_ns()};
  history_.push_back(decision);
  if (history_.size() > kHistory) {
    history_.pop_front();
  }
  return decision;
}

double Breaker::allow_share() const {
  switch (state_) {
    case State::kClosed:
      return 1;
    case State::kOpen:
      return 0;
    case State::kHalfOpen:
      return policy_.half_open_share;
  }
  return 1;
}

std::int64_t Breaker::next_change_ns() const {
  if (forced_) {
    return forced_->until_ns;
  }
  switch (state_) {
    case State::kClosed:
      return 0;
    case State::kOpen:
      return open_until_ns_;
    case State::kHalfOpen:
      return trial_deadline_ns_;
  }
  return 0;
}

std::vector<Measurement> Breaker::current() const {
  if (state_ == State::kHalfOpen) {
    return judge_for_closing(policy_, trial_, {}).measurements;
  }
  return judge_for_opening(policy_, window_.totals()).measurements;
}

}  // namespace raceguard::breaker
