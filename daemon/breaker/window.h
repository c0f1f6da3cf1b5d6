// SPDX-License-Identifier: Apache-2.0
// What a breaker judges by: the samples of the last seconds, or of the last calls.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "daemon/policy/policy.h"
#include "raceguard/abi/histogram.h"

namespace raceguard::breaker {

// What tells one data race from another (detect::race_hash).
using RaceId = std::uint64_t;

// What happened to a switch's functions and locks since the tick before.
struct Sample {
  std::uint64_t calls = 0;                                       // that returned
  std::uint64_t slow = 0;                                        // of them
  std::uint64_t errors = 0;                                      // of them
  std::array<std::uint32_t, RG_HISTOGRAM_BUCKETS> lock_waits{};  // waits that ended, by rg_histogram_bucket
  std::vector<RaceId> proven_races = {};                         // that were seen, again or for the first time
  std::vector<RaceId> likely_races = {};
};

// How often each race was seen: a window holds so many different ones, however often each came.
class RaceCounts {
 public:
  void add(const std::vector<RaceId>& races);
  void subtract(const std::vector<RaceId>& races);
  [[nodiscard]] std::uint64_t different() const { return counts_.size(); }

 private:
  std::map<RaceId, std::uint64_t> counts_;
};

struct Totals {
  std::uint64_t calls = 0;
  std::uint64_t slow = 0;
  std::uint64_t errors = 0;
  std::uint64_t waits = 0;
  std::array<std::uint64_t, RG_HISTOGRAM_BUCKETS> lock_waits{};
  RaceCounts proven_races;
  RaceCounts likely_races;

  [[nodiscard]] bool empty() const {
    return calls == 0 && waits == 0 && proven_races.different() == 0 && likely_races.different() == 0;
  }
  void add(const Sample& sample);
  void subtract(const Sample& sample);
  [[nodiscard]] double slow_ratio() const;  // 0..1; 0 without calls
  [[nodiscard]] double error_ratio() const;
  // Interpolated within the bucket, so at most 25 % off; 0 without waits.
  [[nodiscard]] std::int64_t lock_wait_quantile_ns(double quantile) const;
};

// Keeps at most kSlots sums, so that memory does not depend on the tick: a time window forgets a sample when it is
// between 39/40 and 40/40 of the duration old. A window of the last N calls (or lock waits, where those are more) keeps
// the fewest slots that hold N.
class SlidingWindow {
 public:
  static constexpr int kSlots = 40;

  explicit SlidingWindow(const policy::Window& extent) : extent_(extent) {}

  void add(std::int64_t now_ns, const Sample& sample);
  void expire(std::int64_t now_ns);
  void clear();
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  struct Slot {
    std::int64_t start_ns = 0;
    std::uint64_t size = 0;  // calls or waits, whichever are more
    Sample sum;
  };
  [[nodiscard]] bool newest_is_full(std::int64_t now_ns) const;
  void drop_oldest();

  policy::Window extent_;
  std::deque<Slot> slots_;
  std::uint64_t size_ = 0;
  Totals totals_;
};

}  // namespace raceguard::breaker
