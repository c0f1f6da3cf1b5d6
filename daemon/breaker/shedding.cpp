// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/shedding.h"

namespace raceguard::breaker {
namespace {

double most_saved_by_samples(std::span<const Spender> staying) {
  double saved_ns = 0;
  for (const Spender& each : staying) {
    saved_ns += each.saving_ns(kSeesLeast);
  }
  return saved_ns;
}

// The highest level at which enough is saved; the lowest of all if none does.
std::uint8_t enough(const Spender& spender, double to_save_ns) {
  std::uint8_t level = spender.level;
  while (level < kSeesLeast && spender.saving_ns(level) < to_save_ns) {
    ++level;
  }
  return level;
}

}  // namespace

std::vector<std::uint8_t> levels_that_fit(std::span<const Spender> dearest_first, double allowed_ns, double aim_ns,
                                          bool first_goes) {
  std::vector<std::uint8_t> levels;
  double rest_ns = 0;
  for (const Spender& each : dearest_first) {
    levels.push_back(each.level);
    rest_ns += each.cost_ns;
  }
  for (std::size_t gone = 0; rest_ns > allowed_ns && gone < dearest_first.size();) {
    const auto staying = dearest_first.subspan(gone);
    if (!first_goes && rest_ns - most_saved_by_samples(staying) <= aim_ns) {
      for (std::size_t i = gone; i < dearest_first.size() && rest_ns > aim_ns; ++i) {
        if (dearest_first[i].returns_ns > 0) {
          levels[i] = enough(dearest_first[i], rest_ns - aim_ns);
          rest_ns -= dearest_first[i].saving_ns(levels[i]);
        }
      }
      break;
    }
    first_goes = false;
    levels[gone] = kSeesNothing;
    rest_ns -= dearest_first[gone].cost_ns;
    ++gone;
  }
  return levels;
}

}  // namespace raceguard::breaker
