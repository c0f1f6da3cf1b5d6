// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_source.h"

#include <algorithm>
#include <utility>

#include "daemon/kernel/calibrate.h"

namespace raceguard::app {
namespace {

// What the kernel and the daemon keep of one process, at most some 5 MB; raceguardctl, that looks at one, keeps more.
constexpr LockBurstLimits kLimits{.locks = 512, .sites = 1024, .orders = 1024};
constexpr kernel::LockProbesOptions kProbes{
    .max_threads = 4096, .max_locks = 1024, .max_sites = 2048, .max_orders = 2048, .ring_bytes = 1U << 20U};
// A virtual machine may have moved to another host.
constexpr std::int64_t kCalibratePeriodNs = 3600 * kNsPerSecond;

std::vector<std::uint64_t> sum(std::vector<std::uint64_t> one, const std::vector<std::uint64_t>& other) {
  one.resize(std::max(one.size(), other.size()));
  for (std::size_t i = 0; i < other.size(); ++i) {
    one[i] += other[i];
  }
  return one;
}

}  // namespace

Result<void> KernelBurstSource::load() {
  if (probes_) {
    return {};
  }
  auto probes = kernel::LockProbes::open(kProbes);
  if (!probes) {
    return fail(std::move(probes).error());
  }
  probes_ = std::move(*probes);
  resolver_.emplace();
  return {};
}

Result<std::unique_ptr<BurstSubject>> KernelBurstSource::open(const targets::ProcessId& id, double budget) {
  if (auto loaded = load(); !loaded) {
    return fail(std::move(loaded).error());
  }
  if (const std::int64_t now_ns = clock_.monotonic_ns();
      calibrated_ns_ == 0 || now_ns - calibrated_ns_ > kCalibratePeriodNs) {
    costs_ = measure_burst_costs(*probes_, kernel::calibrate({.watchpoint = false}), clock_);
    calibrated_ns_ = now_ns;
  }
  auto bursts = LockBursts::open({.pid = id.pid, .budget = budget, .costs = costs_, .limits = kLimits},
                                 {.clock = clock_, .probes = *probes_, .resolver = *resolver_});
  if (!bursts) {
    return fail(std::move(bursts).error());
  }
  return std::unique_ptr<BurstSubject>(std::move(*bursts));
}

std::vector<std::uint64_t> KernelBurstSource::drops() const {
  if (probes_) {
    if (const auto now = probes_->drops()) {
      return sum(drops_before_, *now);
    }
  }
  return drops_before_;
}

void KernelBurstSource::rest() {
  drops_before_ = drops();
  probes_.reset();
  resolver_.reset();
}

}  // namespace raceguard::app
