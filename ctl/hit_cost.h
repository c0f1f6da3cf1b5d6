// SPDX-License-Identifier: Apache-2.0
// What a probe's hit costs on this machine, for `sites`.
#pragma once

#include <map>
#include <string>

#include "daemon/symbols/symbol.h"

namespace raceguard::ctl {

struct HitCosts {
  std::map<symbols::SiteKind, double> seconds;  // by kind, as far as it was measured
  double return_seconds = 0;                    // added by a return probe; 0: not measured
  std::string not_measured;                     // why something is missing; empty: nothing is
};

// Measures, if this process may; takes about 0.3 s.
[[nodiscard]] HitCosts measure_hit_costs();

[[nodiscard]] std::string kind_name(symbols::SiteKind kind);  // "single_stepped", as in the API

}  // namespace raceguard::ctl
