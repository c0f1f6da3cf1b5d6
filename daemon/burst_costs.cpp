// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_costs.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "daemon/kernel/lock_probes.h"
#include "daemon/plan/lock_sites.h"
#include "daemon/targets/process_reader.h"

namespace raceguard::app {
namespace {

constexpr int kBatches = 9;
constexpr int kPairs = 500;  // 1 ms where a hit takes 1 us
constexpr std::uint64_t kNoLimit = 1U << 30U;
constexpr double kLeastFactor = 1;
constexpr double kMostFactor = 3;  // beyond, somebody disturbed the measurement

// Of a lock and its unlock: one of the fastest of some batches, because others use this machine too. Hold times are
// told without it: too much would make a long hold a short one.
double pair_ns(const Clock& clock) {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  std::array<double, kBatches> batches{};
  for (double& batch : batches) {
    const std::int64_t start_ns = clock.monotonic_ns();
    for (int i = 0; i < kPairs; ++i) {
      pthread_mutex_lock(&lock);
      pthread_mutex_unlock(&lock);
    }
    batch = static_cast<double>(clock.monotonic_ns() - start_ns) / kPairs;
  }
  std::ranges::sort(batches);
  return batches.at(1);
}

bool are_emulated(const std::vector<plan::LockSite>& sites) {
  return std::ranges::all_of(sites, [](const plan::LockSite& site) {
    const bool is_mutex = site.function == "pthread_mutex_lock" || site.function == "pthread_mutex_unlock";
    return !is_mutex || site.site.kind == symbols::SiteKind::kEmulated;
  });
}

struct OwnHits {
  double off_ns = 0;
  double on_ns = 0;
  double program_ns = 0;  // as the programs measured it
};

std::optional<OwnHits> hit_own_locks(kernel::LockProbes& probes, const Clock& clock) {
  const targets::ProcessReader reader("/proc");
  const auto sites = reader.read_identity(::getpid())
                         .and_then([&](const targets::ProcessFacts& facts) { return reader.read_binaries(facts.id); })
                         .and_then([](const auto& binaries) { return plan::find_lock_sites(binaries, "/"); });
  if (!sites || !are_emulated(sites->sites)) {
    return std::nullopt;
  }
  const double bare_ns = pair_ns(clock);
  const auto before = probes.figures();
  if (!before || !probes.attach(::getpid(), sites->sites)) {
    return std::nullopt;
  }
  const double off_ns = pair_ns(clock) - bare_ns;
  probes.begin(kNoLimit);
  const double on_ns = pair_ns(clock) - bare_ns;
  probes.end();
  probes.detach();
  const auto after = probes.figures();
  const bool emptied = probes.take() && probes.drain([](auto) {});
  if (!after || !emptied || after->timed == before->timed || after->hits - before->hits < kBatches * kPairs) {
    return std::nullopt;
  }
  return OwnHits{.off_ns = off_ns / 2,
                 .on_ns = on_ns / 2,
                 .program_ns = static_cast<double>(after->timed_ns - before->timed_ns) /
                               static_cast<double>(after->timed - before->timed)};
}

}  // namespace

BurstHitCosts measure_burst_costs(kernel::LockProbes& probes, const kernel::Calibration& costs, const Clock& clock) {
  BurstHitCosts hit;
  hit.emulated_ns = costs.entry_ns(symbols::SiteKind::kEmulated).value_or(hit.emulated_ns);
  hit.stepped_ns = costs.entry_ns(symbols::SiteKind::kSingleStepped).value_or(hit.stepped_ns);
  hit.return_ns = costs.cost_ns("return").value_or(hit.return_ns);
  const auto own = hit_own_locks(probes, clock);
  if (own && own->off_ns > 0 && own->program_ns > 0) {
    hit.emulated_ns = own->off_ns;
    hit.program_factor = std::clamp((own->on_ns - own->off_ns) / own->program_ns, kLeastFactor, kMostFactor);
  }
  return hit;
}

}  // namespace raceguard::app
