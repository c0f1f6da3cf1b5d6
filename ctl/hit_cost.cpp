// SPDX-License-Identifier: Apache-2.0
#include "ctl/hit_cost.h"

#include <unistd.h>

#include <array>

namespace raceguard::ctl {

HitCosts measure_hit_costs() {
  HitCosts costs;
  costs.not_measured = ::geteuid() == 0 ? "this build cannot calibrate" : "only root may probe; run this with sudo";
  return costs;
}

std::string kind_name(symbols::SiteKind kind) {
  static constexpr std::array kNames = {"nop5", "emulated", "single_stepped", "refused"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace raceguard::ctl
