// SPDX-License-Identifier: Apache-2.0
// Lock bursts as readers see them; a part of the Snapshot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/detect/lock_report.h"

namespace raceguard::exporting {

struct GuardBurstView {
  std::string guard;
  double limit = 0;             // of the targets' CPU time
  std::uint64_t processes = 0;  // that are looked at now
  std::uint64_t waiting = 0;    // for their turn
  std::uint64_t bursts = 0;     // since the guard has bursts, as all below
  std::uint64_t hits = 0;
  std::uint64_t foreign_hits = 0;
  std::uint64_t ended_early = 0;  // bursts that reached their limit of hits
  std::int64_t on_ns = 0;
  std::int64_t cost_ns = 0;
  std::int64_t cpu_ns = 0;  // that these processes used until their last burst
  std::uint64_t doubted_orders = 0;
  std::uint64_t cycles = 0;        // of locks, in the reports of now
  std::vector<std::string> notes;  // processes that cannot be looked at, and why
};

struct BurstView {
  bool wanted = false;  // a policy has `bursts`
  bool held = false;    // not now: the fuse is open
  std::string trouble;  // why there can be none; empty: there can
  std::vector<GuardBurstView> guards;
  std::vector<std::shared_ptr<const detect::LockReport>> reports;  // one for each process, of its last burst
  std::vector<std::uint64_t> drops;                                // by enum rg_drop_reason
};

}  // namespace raceguard::exporting
