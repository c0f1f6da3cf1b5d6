// SPDX-License-Identifier: Apache-2.0
// The state machine of a switch as data: every transition there is.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "daemon/breaker/decision.h"

namespace raceguard::breaker {

enum class Event {
  kThresholdReached,     // enough samples, one threshold to open reached, and room under max_open_switches
  kOpenTimeOver,         // open_for with back-off and jitter has passed
  kTrialPassed,          // trial calls stayed below every threshold to close
  kTrialFailed,          // one threshold to close was reached
  kTrialEmpty,           // the deadline came without one trial call or lock wait
  kForcedOpen,           // a person
  kForcedClosed,         // a person
  kForceEnded,           // released, or its time-to-live is over
  kForceEndedObserving,  // the same for a switch in mode observe
};

struct Transition {
  State from;
  Event event;
  State to;
};

// An empty trial closes: with no calls nobody is hurt by the real function, and the first `minimum_calls` that come are
// judged. Staying open would leave a switch open for ever whose callers come less often than the deadline.
// A forced opening ends in a trial, since its cause may persist; where the mode is observe, in the closed state.
inline constexpr std::array kTransitions = {
    Transition{State::kClosed, Event::kThresholdReached, State::kOpen},
    Transition{State::kOpen, Event::kOpenTimeOver, State::kHalfOpen},
    Transition{State::kHalfOpen, Event::kTrialPassed, State::kClosed},
    Transition{State::kHalfOpen, Event::kTrialFailed, State::kOpen},
    Transition{State::kHalfOpen, Event::kTrialEmpty, State::kClosed},

    Transition{State::kClosed, Event::kForcedOpen, State::kOpen},
    Transition{State::kOpen, Event::kForcedOpen, State::kOpen},
    Transition{State::kHalfOpen, Event::kForcedOpen, State::kOpen},
    Transition{State::kClosed, Event::kForcedClosed, State::kClosed},
    Transition{State::kOpen, Event::kForcedClosed, State::kClosed},
    Transition{State::kHalfOpen, Event::kForcedClosed, State::kClosed},

    Transition{State::kOpen, Event::kForceEnded, State::kHalfOpen},
    Transition{State::kClosed, Event::kForceEnded, State::kClosed},
    Transition{State::kOpen, Event::kForceEndedObserving, State::kClosed},
    Transition{State::kClosed, Event::kForceEndedObserving, State::kClosed},
};

constexpr std::optional<State> next_state(State from, Event event) {
  for (const Transition& transition : kTransitions) {
    if (transition.from == from && transition.event == event) {
      return transition.to;
    }
  }
  return std::nullopt;
}

constexpr std::string_view to_string(State state) {
  switch (state) {
    case State::kClosed:
      return "closed";
    case State::kOpen:
      return "open";
    case State::kHalfOpen:
      return "half-open";
  }
  return "unknown";
}

}  // namespace raceguard::breaker
