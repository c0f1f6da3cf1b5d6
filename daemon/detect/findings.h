// SPDX-License-Identifier: Apache-2.0
// From figures to findings: what went wrong in the last ten seconds, one sentence each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/function_table.h"
#include "daemon/detect/lock_table.h"

namespace raceguard::detect {

// All figures are of the last ten seconds (kRecentWindowNs).
struct FindingThresholds {
  // A lock is contended when it was waited for this often, ...
  std::uint64_t minimum_waits = 20;
  // ... one wait was this long, ...
  std::int64_t longest_wait_ns = 1'000'000;
  // ... and its waits together took this share of the window: 0.1 means that at any time a tenth of a thread stood
  // still.
  double waiting_share = 0.1;
  // A function is slow (or failing) when so many of its calls came back ...
  std::uint64_t minimum_returns = 20;
  // ... and this share of them was slow, or failed.
  double slow_ratio = 0.2;
  double error_ratio = 0.05;
};

// The findings of this moment, with first_seen_ns = last_seen_ns = realtime_ns and count = 1.
// Conditions are never contended. Verdict is kLikely where figures alone tell: kProven is kept for races.
[[nodiscard]] std::vector<Finding> detect_findings(const FunctionTable& functions, const LockTable& locks,
                                                   std::int64_t now_ns, std::int64_t realtime_ns,
                                                   const FindingThresholds& thresholds = {});

// Remembers findings: the same kind, guard and subject is one finding with a count of the ticks it was seen in.
// Bounded: the one that was not seen for longest makes room.
class FindingBook {
 public:
  explicit FindingBook(std::size_t capacity = 64) : capacity_(capacity) {}
  // Takes a tick's findings; returns those that are new, or back after a minute: the ones to log.
  std::vector<Finding> merge(const std::vector<Finding>& seen);
  [[nodiscard]] std::vector<Finding> list() const;  // last seen first

 private:
  using Key = std::tuple<Finding::Kind, std::string, std::string>;
  void make_room();
  std::size_t capacity_;
  std::map<Key, Finding> findings_;
};

}  // namespace raceguard::detect
