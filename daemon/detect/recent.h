// SPDX-License-Identifier: Apache-2.0
// Sums over the last ten seconds, in ten slots of one second: a lock or function costs a few hundred bytes, whatever
// the rate. Sums must have operator+= and a default value of nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "raceguard/clock.h"

namespace raceguard::detect {

inline constexpr std::size_t kRecentSlots = 10;
inline constexpr std::int64_t kRecentWindowNs = static_cast<std::int64_t>(kRecentSlots) * kNsPerSecond;

template <typename Sums>
class Recent {
 public:
  void add(std::int64_t now_ns, const Sums& sums) {
    const std::int64_t second = now_ns / kNsPerSecond;
    Slot& slot = slots_.at(static_cast<std::size_t>(second) % kRecentSlots);
    if (slot.second != second) {
      slot = Slot{.second = second, .sums = {}};
    }
    slot.sums += sums;
  }

  [[nodiscard]] Sums sum(std::int64_t now_ns) const {
    const std::int64_t second = now_ns / kNsPerSecond;
    Sums total;
    for (const Slot& slot : slots_) {
      if (slot.second > second - static_cast<std::int64_t>(kRecentSlots) && slot.second <= second) {
        total += slot.sums;
      }
    }
    return total;
  }

 private:
  struct Slot {
    std::int64_t second = -1;
    Sums sums;
  };
  std::array<Slot, kRecentSlots> slots_{};
};

}  // namespace raceguard::detect
