// SPDX-License-Identifier: Apache-2.0
// Objects of guarded functions in the search of a process.
#include <algorithm>

#include "daemon/race_watch.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kForgetPeriodNs = 50 * kNsPerMs;

}  // namespace

void RaceWatch::see(const SeenObject& object) {
  const std::int64_t now_ns = clock_.monotonic_ns();
  for (const plan::WatchCandidate& candidate : objects_.see(object, clock_.realtime_ns() - now_ns)) {
    rotation_.offer(candidate, now_ns);
  }
}

// A watch of what may have been freed ends at once.
Result<void> RaceWatch::forget_objects(std::int64_t now_ns) {
  if (now_ns < next_forget_ns_) {
    return {};
  }
  next_forget_ns_ = now_ns + kForgetPeriodNs;
  for (const std::uint64_t address : objects_.expire(now_ns)) {
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [address](const Slot& each) {
      return each.candidate && each.candidate->address == address;
    });
    if (slot != slots_.end()) {
      if (auto given = give_back(static_cast<unsigned>(slot - slots_.begin()), now_ns); !given) {
        return given;
      }
    }
    rotation_.withdraw(address);
  }
  return {};
}

std::vector<detect::RaceFinding> RaceWatch::findings() const {
  std::vector<detect::RaceFinding> findings = judge_.findings();
  objects_.doubt(findings);
  return findings;
}

}  // namespace raceguard::app
