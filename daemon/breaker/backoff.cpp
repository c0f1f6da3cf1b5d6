// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/backoff.h"

#include <algorithm>
#include <cmath>

namespace raceguard::breaker {

std::uint64_t RandomSource::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t mixed = state_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebULL;
  return mixed ^ (mixed >> 31U);
}

double RandomSource::next_unit() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }

void Backoff::note_opening(const policy::SwitchPolicy& policy, std::int64_t now_ns) {
  openings_ns_.push_back(now_ns);
  while (openings_ns_.size() > std::max<std::size_t>(1, policy.flap_openings)) {
    openings_ns_.pop_front();
  }
}

bool Backoff::is_flapping(const policy::SwitchPolicy& policy, std::int64_t now_ns) const {
  return policy.flap_openings > 1 && openings_ns_.size() >= policy.flap_openings &&
         now_ns - openings_ns_[openings_ns_.size() - policy.flap_openings] <= policy.flap_window_ns;
}

std::int64_t Backoff::open_time_ns(const policy::SwitchPolicy& policy, std::int64_t now_ns) {
  const auto longest = static_cast<double>(std::max(policy.open_for_max_ns, policy.open_for_ns));
  double time_ns = longest;
  if (!is_flapping(policy, now_ns)) {
    // pow of a factor up to 10 and many failures is infinite, which min() takes as the longest.
    time_ns = std::min(longest, static_cast<double>(policy.open_for_ns) *
                                    std::pow(std::max(1.0, policy.backoff_factor), failed_trials_));
  }
  return static_cast<std::int64_t>(time_ns * (1.0 + policy.jitter * (2.0 * random_.next_unit() - 1.0)));
}

}  // namespace raceguard::breaker
