// SPDX-License-Identifier: Apache-2.0
// What the hits of a lock burst cost on this machine.
#pragma once

#include "daemon/kernel/calibrate.h"
#include "raceguard/clock.h"

namespace raceguard::kernel {
class LockProbes;
}

namespace raceguard::app {

struct BurstHitCosts {
  double emulated_ns = 60;  // of a hit while no burst is on; a bare machine's, where nothing could be measured
  double stepped_ns = 700;
  double return_ns = 60;
  // While one is on a program measures itself, now and then; what it takes is so many times that: its clock does not
  // see its own beginning and end, nor what it leaves of the caller's caches.
  double program_factor = 1;
};

// By a burst on this thread's own lock calls, the real programs at the real sites: takes some 0.3 s, most of it the
// kernel's time to detach. What that cannot tell is taken from `costs`.
[[nodiscard]] BurstHitCosts measure_burst_costs(kernel::LockProbes& probes, const kernel::Calibration& costs,
                                                const Clock& clock);

}  // namespace raceguard::app
