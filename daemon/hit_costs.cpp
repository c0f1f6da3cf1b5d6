// SPDX-License-Identifier: Apache-2.0
#include "daemon/hit_costs.h"

#include <pthread.h>

#include <chrono>

#include <spdlog/spdlog.h>

namespace raceguard::app {
namespace {

// A tenth of what a nested virtual machine measured.
double bare_entry_ns(symbols::SiteKind kind) {
  switch (kind) {
    case symbols::SiteKind::kNop5:
      return 30;
    case symbols::SiteKind::kEmulated:
      return 60;
    case symbols::SiteKind::kSingleStepped:
    case symbols::SiteKind::kRefused:
      return 700;
  }
  return 0;
}
constexpr double kBareReturnNs = 60;

}  // namespace

void HitCosts::measure() {
  if (measured_ || running_.valid()) {
    return;
  }
  running_ = std::async(std::launch::async, [] {
    pthread_setname_np(pthread_self(), "rg-calibrate");
    return kernel::calibrate();
  });
}

void HitCosts::poll() {
  if (!running_.valid() || running_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    return;
  }
  figures_ = running_.get();
  measured_ = true;
  for (const Error& failure : figures_.failures) {
    spdlog::warn("calibration: {}", failure.to_string());
  }
  spdlog::info("a hit of a probe costs {:.2f} us (emulated) or {:.2f} us (single-stepped), a return {:.2f} us",
               entry_ns(symbols::SiteKind::kEmulated) / 1000, entry_ns(symbols::SiteKind::kSingleStepped) / 1000,
               return_ns() / 1000);
}

double HitCosts::entry_ns(symbols::SiteKind kind) const {
  return figures_.entry_ns(kind).value_or(bare_entry_ns(kind));
}

double HitCosts::return_ns() const { return figures_.cost_ns("return").value_or(kBareReturnNs); }

}  // namespace raceguard::app
