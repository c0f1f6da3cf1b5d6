// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <numeric>

#include "daemon/detect/finding.h"

namespace raceguard::detect {

std::uint64_t Histogram::total() const { return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}); }

std::int64_t Histogram::quantile_ns(double q) const {
  const std::uint64_t all = total();
  if (all == 0) {
    return 0;
  }
  const auto rank = std::clamp<std::uint64_t>(
      static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(all))), 1, all);
  std::uint64_t seen = 0;
  std::uint32_t bucket = 0;
  while ((seen += counts.at(bucket)) < rank) {
    ++bucket;
  }
  return static_cast<std::int64_t>(rg_histogram_floor_ns(bucket + 1));
}

Histogram& Histogram::operator+=(const Histogram& other) {
  std::transform(counts.begin(), counts.end(), other.counts.begin(), counts.begin(), std::plus<>());
  return *this;
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram added;
  std::transform(counts.begin(), counts.end(), earlier.counts.begin(), added.counts.begin(),
                 [](std::uint64_t now, std::uint64_t before) { return now >= before ? now - before : now; });
  return added;
}

}  // namespace raceguard::detect
