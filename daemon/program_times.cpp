// SPDX-License-Identifier: Apache-2.0
#include "daemon/program_times.h"

#include <cmath>

#include "daemon/detect/counters.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kWindowNs = 3 * kNsPerSecond;
constexpr double kMany = 3;
constexpr double kManyShare = 0.25;

double added(std::uint64_t now, std::uint64_t last) { return static_cast<double>(detect::added_count(now, last)); }

}  // namespace

void ProgramTimes::age(std::int64_t elapsed_ns) {
  const double kept = std::exp(-static_cast<double>(elapsed_ns) / static_cast<double>(kWindowNs));
  for (Runs* runs : {&short_, &long_}) {
    runs->count *= kept;
    runs->ns *= kept;
  }
}

void ProgramTimes::add(const rg_function_counters& now, const rg_function_counters& last) {
  const double long_count = added(now.timed_long, last.timed_long);
  const double long_ns = added(now.timed_long_ns, last.timed_long_ns);
  long_.count += long_count;
  long_.ns += long_ns;
  short_.count += added(now.timed, last.timed) - long_count;
  short_.ns += added(now.timed_ns, last.timed_ns) - long_ns;
}

double ProgramTimes::mean_ns() const {
  const double count = short_.count + long_.count;
  const bool many = long_.count >= kMany && long_.count >= kManyShare * count;
  if (many) {
    return (short_.ns + long_.ns) / count;
  }
  return short_.count > 0 ? short_.ns / short_.count : 0;
}

}  // namespace raceguard::app
