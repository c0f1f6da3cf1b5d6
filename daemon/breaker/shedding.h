// SPDX-License-Identifier: Apache-2.0
// Which functions have to spend less, and how much less, so that the rest fits. Pure arithmetic.
//
// The entry probe is hit at every call, whatever is done with it; what a sample of the returns saves is the return
// probe, half of a call's cost (docs/adr/0007). So there are two shares and no third one: at one return in 4 a
// call costs two thirds, at one in 32 hardly more than its entry, which no smaller share would lessen. Then there is
// exemption.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace raceguard::breaker {

// How much of a function is seen, most first.
inline constexpr std::uint8_t kSeesAll = 0;
inline constexpr std::uint8_t kSeesLeast = 2;
inline constexpr std::uint8_t kSeesNothing = 3;  // exempt: its probe is detached
inline constexpr std::array<std::uint8_t, 3> kReturnShifts = {0, 2, 5};

// Of the calls, those whose return is seen.
constexpr double return_share(std::uint8_t level) {
  return level > kSeesLeast ? 0 : 1.0 / static_cast<double>(1U << kReturnShifts.at(level));
}

struct Spender {
  double cost_ns = 0;
  double returns_ns = 0;  // of it, what fewer returns lessen; 0: nothing can be sampled
  std::uint8_t level = kSeesAll;

  [[nodiscard]] double saving_ns(std::uint8_t to) const {
    return to > kSeesLeast ? cost_ns : returns_ns * (1 - return_share(to) / return_share(level));
  }
};

// New levels, in the order given: dearest first. As few as possible are exempted, and no more sampled than needed;
// those who stay take `aim_ns` at most where samples are taken, else `allowed_ns`. `first_goes`: the first one is
// exempted before any other is sampled for it.
[[nodiscard]] std::vector<std::uint8_t> levels_that_fit(std::span<const Spender> dearest_first, double allowed_ns,
                                                        double aim_ns, bool first_goes);

}  // namespace raceguard::breaker
