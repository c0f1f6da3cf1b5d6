// SPDX-License-Identifier: Apache-2.0
// The whole state as readers see it: made by the daemon's loop after a tick, immutable from then on, shared by
// /metrics, the HTTP API, the control socket. Readers never touch the kernel or a breaker.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/breaker/decision.h"
#include "daemon/detect/finding.h"
#include "daemon/export/budget_view.h"
#include "daemon/export/burst_view.h"
#include "daemon/export/interceptions_view.h"
#include "daemon/export/watch_view.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/targets/target.h"

namespace raceguard::exporting {

// Transitions so far into one state.
struct TransitionCount {
  std::uint64_t enforced = 0;
  std::uint64_t observed = 0;  // mode observe, or held back by the cap: nothing was flipped
};

struct SwitchView {
  std::string name;
  std::string guard;
  bool enforce = false;
  breaker::State state = breaker::State::kClosed;          // of the breaker
  breaker::State applied_state = breaker::State::kClosed;  // what applications see
  double allow_share = 1;
  bool forced = false;
  std::string forced_by;
  std::int64_t forced_until_realtime_ns = 0;  // 0: until released
  std::uint64_t transitions = 0;
  std::array<TransitionCount, 3> transitions_to{};  // by breaker::State
  std::uint64_t openings_enforced = 0;
  std::uint64_t openings_observed = 0;        // would have opened
  std::vector<breaker::Measurement> current;  // the window as it is now
  std::vector<breaker::Decision> history;     // newest last, bounded
  std::uint32_t words = 0;                    // binaries whose kernel-held word carries it
  std::vector<std::string> functions;         // that feed it, by their names in the policy
  std::vector<std::string> unprobed;          // of these, those that are not probed because of what that cost
};

struct TargetView {
  targets::Target target;
  std::uint64_t functions_probed = 0;
};

struct Snapshot {
  std::int64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t realtime_ns = 0;
  std::int64_t started_realtime_ns = 0;
  std::string version;
  pid_t pid = 0;
  bool ready = false;
  std::string not_ready_reason;
  std::uint64_t policy_generation = 0;  // successful loads
  std::uint64_t policy_reload_failures = 0;
  std::string policy_error;  // of the last reload, empty if it was good
  bool uprobe_multi = false;
  std::vector<TargetView> targets;
  std::vector<detect::FunctionFigures> functions;
  std::vector<plan::FunctionProbe> probes;
  std::vector<plan::Omission> omissions;
  std::vector<detect::LockFigures> locks;
  std::vector<detect::Finding> findings;
  WatchView watch;
  BudgetView budget;
  InterceptionsView interceptions;
  BurstView bursts;
  std::vector<SwitchView> switches;
  std::vector<std::uint64_t> drops;  // by enum rg_drop_reason
  std::uint64_t evidence_records = 0;
  std::uint64_t evidence_lost = 0;     // could not be written (disk full)
  std::uint64_t evidence_pending = 0;  // wait for the disk to take them
  std::uint64_t evidence_last_seq = 0;
  std::string evidence_last_hash;  // what `raceguardctl verify` compares the file's end with
  std::uint64_t events_decoded = 0;
  std::uint64_t stacks_untrusted = 0;
  std::uint64_t ticks = 0;
  std::int64_t tick_ns_max = 0;  // longest tick so far
};

}  // namespace raceguard::exporting
