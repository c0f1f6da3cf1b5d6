// SPDX-License-Identifier: Apache-2.0
// What a hit of a probe costs on this machine.
#pragma once

#include <cstdint>
#include <functional>
#include <future>

#include "daemon/kernel/attachment.h"
#include "daemon/kernel/calibrate.h"
#include "daemon/symbols/symbol.h"

namespace raceguard::app {

// Measured at the start and each hour, by a thread of its own, "rg-calibrate": attaching to own code and detaching
// takes 0.4 s, and the loop has to beat the switch page's heart every 0.2 s. The daemon's start waits for it, so that a
// hot function is known at the first tick. If it takes longer, the costs of a bare machine stand in: hits are dearer
// everywhere else, so nobody is exempted on a guess.
class HitCosts {
 public:
  using Calibrate = std::function<kernel::Calibration()>;  // called on the thread

  explicit HitCosts(Calibrate calibrate);

  // Begins to measure, unless it is at it. A thread that the daemon's start begins keeps the rights that it gives up
  // afterwards, and ends within a second.
  void measure();

  // Takes the figures over once they are there; once a tick.
  void poll(std::int64_t now_ns);

  // Until they are there, a second at most.
  void wait(std::int64_t now_ns);

  [[nodiscard]] bool measured() const { return measured_; }
  // What the kernel takes for an entry probe on such a site, and for a return probe.
  [[nodiscard]] double entry_ns(symbols::SiteKind kind) const;
  [[nodiscard]] double return_ns() const;
  // For one futex call, entry and exit, that is seen by such hooks.
  [[nodiscard]] double futex_call_ns(kernel::FutexHook hook) const;

 private:
  Calibrate calibrate_;
  double tracepoint_ns_;  // of the last time that it could be measured
  bool measured_ = false;
  std::int64_t measured_ns_ = 0;
  kernel::Calibration figures_;
  std::future<kernel::Calibration> running_;  // last: it waits for its thread
};

}  // namespace raceguard::app
