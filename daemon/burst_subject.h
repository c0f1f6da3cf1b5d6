// SPDX-License-Identifier: Apache-2.0
// What takes turns at bursts: one process each, and where they come from. Interfaces, so that the turns are tested
// without a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/detect/lock_report.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::app {

class BurstSubject {
 public:
  virtual ~BurstSubject() = default;
  // One burst, from attaching to detaching; sleeps meanwhile. Ends early once `goes_on` says no. kTargetGone.
  [[nodiscard]] virtual Result<void> burst(const std::function<bool()>& goes_on) = 0;
  // How long to wait before the next one, so that the bursts so far keep to the budget.
  [[nodiscard]] virtual std::int64_t pause_ns() const = 0;
  [[nodiscard]] virtual const detect::BurstCost& cost() const = 0;
  // The `limit` busiest locks.
  [[nodiscard]] virtual Result<detect::LockReport> report(std::size_t limit) = 0;
};

class BurstSource {
 public:
  virtual ~BurstSource() = default;
  // kTargetGone, kSymbolNotFound: not this process; all others: no process.
  [[nodiscard]] virtual Result<std::unique_ptr<BurstSubject>> open(const targets::ProcessId& id, double budget) = 0;
  // By enum rg_drop_reason, since the start.
  [[nodiscard]] virtual std::vector<std::uint64_t> drops() const = 0;
  // Nothing to do for now: gives the kernel back what it holds. There is no subject left.
  virtual void rest() = 0;
};

}  // namespace raceguard::app
