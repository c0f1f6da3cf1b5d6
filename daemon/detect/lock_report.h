// SPDX-License-Identifier: Apache-2.0
// What bursts found out about the locks of one process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/detect/lock_advice.h"
#include "daemon/detect/lock_order.h"
#include "daemon/events/event.h"

namespace raceguard::detect {

struct AdvisedLock {
  std::uint64_t address = 0;
  std::string name;
  LockUse use;
  std::vector<LockAdvice> advice;
  events::Stack busiest;  // of the place that takes it most; no frames: not seen
};

// One step of a cycle.
struct NamedOrder {
  LockOrder order;
  std::string held;
  std::string wanted;
  std::string held_at;  // "transfer() at bank.c:41"
  std::string wanted_at;
  events::Stack stack;  // of a thread that asked; no frames: not seen
};

struct BurstCost {
  std::uint64_t bursts = 0;
  std::int64_t on_ns = 0;        // time that bursts were on
  std::int64_t attached_ns = 0;  // time that probes were there, or were being put or taken
  std::uint64_t hits = 0;
  std::uint64_t foreign_hits = 0;
  std::uint64_t ended_early = 0;     // bursts that reached their limit of hits
  std::uint64_t doubted_orders = 0;  // that do not count: their thread had a lock that was not seen to be taken
  std::int64_t cost_ns = 0;          // of the target's time: hits by their calibrated cost, and program_ns
  std::int64_t program_ns = 0;       // what the programs behind the hits took
  std::int64_t cpu_ns = 0;           // that the target used meanwhile
  std::int64_t elapsed_ns = 0;
};

struct LockReport {
  std::string guard;             // empty: without a daemon
  std::int64_t realtime_ns = 0;  // of the end
  pid_t pid = 0;
  std::string comm;
  std::vector<AdvisedLock> locks;  // busiest first
  std::size_t total = 0;           // of locks that were seen
  std::vector<std::vector<NamedOrder>> cycles;
  BurstCost cost;
  std::uint64_t unseen_unlocks = 0;
  std::vector<std::uint64_t> drops;  // by enum rg_drop_reason
  std::vector<std::string> notes;
};

}  // namespace raceguard::detect
