// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/window.h"

#include <algorithm>
#include <numeric>

namespace raceguard::breaker {
namespace {

std::uint64_t waits_of(const Sample& sample) {
  return std::accumulate(sample.lock_waits.begin(), sample.lock_waits.end(), std::uint64_t{0});
}

void merge(Sample& into, const Sample& sample) {
  into.calls += sample.calls;
  into.slow += sample.slow;
  into.errors += sample.errors;
  for (std::size_t i = 0; i < into.lock_waits.size(); ++i) {
    into.lock_waits[i] += sample.lock_waits[i];
  }
  into.proven_races.insert(into.proven_races.end(), sample.proven_races.begin(), sample.proven_races.end());
  into.likely_races.insert(into.likely_races.end(), sample.likely_races.begin(), sample.likely_races.end());
}

bool has_races(const Sample& sample) { return !sample.proven_races.empty() || !sample.likely_races.empty(); }

// Counters of entry and return are read at slightly different times, so a part may pass its whole for a moment.
double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0.0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

void RaceCounts::add(const std::vector<RaceId>& races) {
  for (const RaceId race : races) {
    ++counts_[race];
  }
}

void RaceCounts::subtract(const std::vector<RaceId>& races) {
  for (const RaceId race : races) {
    const auto found = counts_.find(race);
    if (found != counts_.end() && --found->second == 0) {
      counts_.erase(found);
    }
  }
}

void Totals::add(const Sample& sample) {
  calls += sample.calls;
  slow += sample.slow;
  errors += sample.errors;
  waits += waits_of(sample);
  for (std::size_t i = 0; i < lock_waits.size(); ++i) {
    lock_waits[i] += sample.lock_waits[i];
  }
  proven_races.add(sample.proven_races);
  likely_races.add(sample.likely_races);
}

void Totals::subtract(const Sample& sample) {
  calls -= sample.calls;
  slow -= sample.slow;
  errors -= sample.errors;
  waits -= waits_of(sample);
  for (std::size_t i = 0; i < lock_waits.size(); ++i) {
    lock_waits[i] -= sample.lock_waits[i];
  }
  proven_races.subtract(sample.proven_races);
  likely_races.subtract(sample.likely_races);
}

double Totals::slow_ratio() const { return ratio(slow, calls); }
double Totals::error_ratio() const { return ratio(errors, calls); }

std::int64_t Totals::lock_wait_quantile_ns(double quantile) const {
  const double rank = quantile * static_cast<double>(waits);
  double below = 0;
  for (rg_u32 bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
    const auto count = static_cast<double>(lock_waits[bucket]);
    if (count > 0 && below + count >= rank) {
      const auto floor_ns = static_cast<double>(rg_histogram_floor_ns(bucket));
      const bool last = bucket + 1 == RG_HISTOGRAM_BUCKETS;
      const double next_ns = last ? floor_ns : static_cast<double>(rg_histogram_floor_ns(bucket + 1));
      return static_cast<std::int64_t>(floor_ns + (next_ns - floor_ns) * (rank - below) / count);
    }
    below += count;
  }
  return 0;
}

bool SlidingWindow::newest_is_full(std::int64_t now_ns) const {
  const Slot& newest = slots_.back();
  if (extent_.calls != 0) {
    return newest.size >= std::max<std::uint64_t>(1, extent_.calls / kSlots);
  }
  return now_ns - newest.start_ns >= extent_.duration_ns / kSlots;
}

void SlidingWindow::add(std::int64_t now_ns, const Sample& sample) {
  const std::uint64_t size = std::max(sample.calls, waits_of(sample));
  if (size != 0 || has_races(sample)) {
    if (slots_.empty() || newest_is_full(now_ns)) {
      slots_.push_back({.start_ns = now_ns, .size = 0, .sum = {}});
    }
    merge(slots_.back().sum, sample);
    slots_.back().size += size;
    size_ += size;
    totals_.add(sample);
  }
  expire(now_ns);
}

void SlidingWindow::expire(std::int64_t now_ns) {
  if (extent_.calls != 0) {
    while (slots_.size() > 1 && size_ - slots_.front().size >= extent_.calls) {
      drop_oldest();
    }
    return;
  }
  while (!slots_.empty() && now_ns - slots_.front().start_ns >= extent_.duration_ns) {
    drop_oldest();
  }
}

void SlidingWindow::drop_oldest() {
  size_ -= slots_.front().size;
  totals_.subtract(slots_.front().sum);
  slots_.pop_front();
}

void SlidingWindow::clear() {
  slots_.clear();
  size_ = 0;
  totals_ = {};
}

}  // namespace raceguard::breaker
