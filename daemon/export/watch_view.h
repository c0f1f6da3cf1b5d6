// SPDX-License-Identifier: Apache-2.0
// The search for data races as readers see it; a part of the Snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/detect/race_book.h"
#include "daemon/plan/watch_rotation.h"

namespace raceguard::exporting {

struct GuardWatchView {
  std::string guard;
  std::uint64_t processes = 0;      // that are searched now
  plan::RotationCoverage coverage;  // of these processes together
  detect::RaceCounters races;
  std::uint64_t suppressed = 0;    // findings in the book
  std::vector<std::string> notes;  // what a reader of its findings must know
};

struct WatchView {
  bool wanted = false;     // a policy has `watch`
  std::string trouble;     // why nothing can be watched; empty: it can
  unsigned registers = 0;  // address registers that are ours on each CPU
  std::uint64_t hits = 0;  // since the start, as all below
  std::uint64_t holds = 0;
  std::uint64_t samples = 0;  // of where threads were
  std::int64_t hold_ns = 0;
  std::int64_t armed_ns = 0;  // all registers together
  std::vector<GuardWatchView> guards;
  std::vector<detect::BookedRacePtr> races;  // without the suppressed ones
};

}  // namespace raceguard::exporting
