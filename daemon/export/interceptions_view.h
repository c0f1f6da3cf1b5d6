// SPDX-License-Identifier: Apache-2.0
// What the daemon keeps apart in its targets, and whether that helps; a part of the Snapshot.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/detect/interception.h"

namespace raceguard::exporting {

enum class InterceptionCause { kSwitch, kFinding };
inline constexpr std::array<std::string_view, 2> kInterceptionCauses = {"switch", "finding"};

enum class InterceptionState {
  kStarting,  // its probes are being set
  kRunning,
  kResting,  // withdrawn, failed, or no room: tried again at next_try
  kOver,
};
inline constexpr std::array<std::string_view, 4> kInterceptionStates = {"starting", "running", "resting", "over"};

enum class InterceptionEvent {
  kBegun,
  kEnded,
  kWithdrawn,  // for its cost
  kFailed,     // to begin
  kObserved,   // a switch in mode observe would have begun it
  kProposed,
};
inline constexpr std::array<std::string_view, 6> kInterceptionEvents = {"begun",  "ended",    "withdrawn",
                                                                        "failed", "observed", "proposed"};

enum class InterceptionPhase { kBefore, kDuring, kAfter };
inline constexpr std::array<std::string_view, 3> kInterceptionPhases = {"before", "during", "after"};

// How often a race was proven in one phase, and for how long its variable was under watch in it.
struct ProofCount {
  std::uint64_t proofs = 0;
  std::int64_t watched_ns = 0;
};
using ProofCounts = std::array<ProofCount, kInterceptionPhases.size()>;

// A race whose two sides are both in functions that are kept apart.
struct InterceptedRaceView {
  std::string id;
  std::string variable;
  ProofCounts phases{};
};

struct InterceptionView {
  std::string guard;
  InterceptionCause cause = InterceptionCause::kSwitch;
  std::string name;  // of the switch, or the finding's id
  pid_t pid = 0;
  InterceptionState state = InterceptionState::kStarting;
  std::string why;                        // it is not running
  std::uint64_t begun = 0;                // so often
  std::int64_t begun_realtime_ns = 0;     // the last time; as all below 0: never, or not known
  std::int64_t ended_realtime_ns = 0;     // the last time
  std::int64_t until_realtime_ns = 0;     // of a finding's
  std::int64_t next_try_realtime_ns = 0;  // while resting
  detect::Interception figures;           // of the last run
  std::vector<InterceptedRaceView> races;
};

struct GuardInterceptionsView {
  std::string guard;
  std::uint64_t running = 0;
  std::array<std::uint64_t, kInterceptionEvents.size()> events{};
  // Since the start, over all runs:
  std::uint64_t calls = 0;
  std::uint64_t taken = 0;
  std::uint64_t waits = 0;
  std::int64_t wait_ns = 0;
  std::int64_t cost_ns = 0;
  std::array<std::uint64_t, RG_OPEN_COUNT> opened{};  // by enum rg_fail_open
  ProofCounts proofs{};
};

struct ProposalView {
  std::string guard;
  std::string finding;
  pid_t pid = 0;
  std::vector<std::string> functions;
  std::string command;
  std::string failure;  // why there is none
};

// What happened, for the log and the evidence.
struct InterceptionRecord {
  InterceptionEvent event = InterceptionEvent::kBegun;
  InterceptionView view;
  std::string why;
  ProposalView proposal;  // of kProposed
};

struct InterceptionsView {
  std::vector<InterceptionView> list;  // those that are not over first
  std::vector<GuardInterceptionsView> guards;
  std::vector<ProposalView> proposals;
};

}  // namespace raceguard::exporting
