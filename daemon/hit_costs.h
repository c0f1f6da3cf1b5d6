// SPDX-License-Identifier: Apache-2.0
// What a hit of a function's probe costs on this machine.
#pragma once

#include <future>

#include "daemon/kernel/calibrate.h"
#include "daemon/symbols/symbol.h"

namespace raceguard::app {

// Measured once, by a thread of its own, "rg-calibrate": attaching to own code and detaching takes 0.4 s, and the loop
// has to beat the switch page's heart every 0.2 s. Until it is done, the costs of a bare machine stand in: hits are
// dearer everywhere else, so nobody is exempted on a guess.
class HitCosts {
 public:
  // Begins to measure, at the first call. Not before the daemon has given up its rights: threads keep theirs.
  void measure();
  // Takes the figures over once they are there; once a tick.
  void poll();

  [[nodiscard]] bool measured() const { return measured_; }
  // What the kernel takes for an entry probe on such a site, and for a return probe.
  [[nodiscard]] double entry_ns(symbols::SiteKind kind) const;
  [[nodiscard]] double return_ns() const;

 private:
  bool measured_ = false;
  kernel::Calibration figures_;
  std::future<kernel::Calibration> running_;  // last: it waits for its thread
};

}  // namespace raceguard::app
