// SPDX-License-Identifier: Apache-2.0
// Bursts of this machine's processes: the probes that they share, and what a hit of them costs here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/burst_subject.h"
#include "daemon/kernel/lock_probes.h"
#include "daemon/lock_bursts.h"
#include "daemon/symbols/resolver.h"
#include "raceguard/clock.h"

namespace raceguard::app {

class KernelBurstSource final : public BurstSource {
 public:
  // `clock` must outlive it.
  explicit KernelBurstSource(const Clock& clock) : clock_(clock) {}

  // Loads the programs if they are not there. kKernelUnsupported where the kernel has no uprobe_multi (6.6).
  [[nodiscard]] Result<std::unique_ptr<BurstSubject>> open(const targets::ProcessId& id, double budget) override;
  [[nodiscard]] std::vector<std::uint64_t> drops() const override;
  void rest() override;

 private:
  [[nodiscard]] Result<void> load();

  const Clock& clock_;
  std::optional<kernel::LockProbes> probes_;
  std::vector<std::uint64_t> drops_before_;  // of probes that are no more
  std::optional<symbols::Resolver> resolver_;
  BurstHitCosts costs_;
  std::int64_t calibrated_ns_ = 0;  // 0: never
};

}  // namespace raceguard::app
