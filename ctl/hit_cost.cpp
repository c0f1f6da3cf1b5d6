// SPDX-License-Identifier: Apache-2.0
#include "ctl/hit_cost.h"

#include <unistd.h>

#include <array>

#include "daemon/kernel/calibrate.h"

namespace raceguard::ctl {

HitCosts measure_hit_costs() {
  HitCosts costs;
  if (::geteuid() != 0) {
    costs.not_measured = "probing takes root's rights, and this runs without them. Run it again with sudo";
    return costs;
  }
  const kernel::Calibration calibration = kernel::calibrate();
  for (const symbols::SiteKind kind :
       {symbols::SiteKind::kNop5, symbols::SiteKind::kEmulated, symbols::SiteKind::kSingleStepped}) {
    if (const auto ns = calibration.entry_ns(kind)) {
      costs.seconds[kind] = *ns * 1e-9;
    }
  }
  costs.return_seconds = calibration.cost_ns("return").value_or(0) * 1e-9;
  for (const Error& failure : calibration.failures) {
    costs.not_measured += (costs.not_measured.empty() ? "" : "; ") + failure.to_string();
  }
  return costs;
}

std::string kind_name(symbols::SiteKind kind) {
  static constexpr std::array kNames = {"nop5", "emulated", "single_stepped", "refused"};
  return kNames.at(static_cast<std::size_t>(kind));
}

}  // namespace raceguard::ctl
