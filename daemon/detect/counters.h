// SPDX-License-Identifier: Apache-2.0
// The difference of two readings of the kernel's counters. Per-CPU counters are read without a lock, so a total may be
// read a few calls before its parts: a counter that shrank counts as new, never as a huge difference.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/detect/finding.h"

namespace raceguard::detect {

inline std::uint64_t added_count(std::uint64_t now, std::uint64_t before) { return now >= before ? now - before : now; }

template <typename Count>
Histogram added_histogram(const Count (&now)[RG_HISTOGRAM_BUCKETS], const Count (&before)[RG_HISTOGRAM_BUCKETS]) {
  Histogram added;
  for (std::size_t bucket = 0; bucket < RG_HISTOGRAM_BUCKETS; ++bucket) {
    added.counts[bucket] = added_count(now[bucket], before[bucket]);
  }
  return added;
}

}  // namespace raceguard::detect
