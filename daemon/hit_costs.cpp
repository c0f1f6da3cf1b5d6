// SPDX-License-Identifier: Apache-2.0
#include "daemon/hit_costs.h"

#include <pthread.h>

#include <chrono>

#include <spdlog/spdlog.h>

#include "raceguard/clock.h"

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
constexpr double kBareTracepointNs = 14;

// Of the two others (FutexHook), which are not measured.
constexpr double kBareFutexFunctionNs = 20;
constexpr double kBareFutexRawNs = 16;

// A virtual machine may have moved to another host.
constexpr std::int64_t kMeasurePeriodNs = 3600 * kNsPerSecond;

}  // namespace

HitCosts::HitCosts(Calibrate calibrate) : calibrate_(std::move(calibrate)), tracepoint_ns_(kBareTracepointNs) {}

void HitCosts::measure() {
  if (running_.valid()) {
    return;
  }
  running_ = std::async(std::launch::async, [calibrate = calibrate_] {
    pthread_setname_np(pthread_self(), "rg-calibrate");
    return calibrate();
  });
}

void HitCosts::poll(std::int64_t now_ns) {
  if (measured_ && now_ns - measured_ns_ > kMeasurePeriodNs) {
    measure();
  }
  if (!running_.valid() || running_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    return;
  }
  figures_ = running_.get();
  measured_ = true;
  measured_ns_ = now_ns;
  // An hour later the rights to see tracefs may be gone.
  tracepoint_ns_ = figures_.cost_ns("tracepoint").value_or(tracepoint_ns_);
  for (const Error& failure : figures_.failures) {
    spdlog::warn("calibration: {}", failure.to_string());
  }
  spdlog::info("a hit of a probe costs {:.2f} us (emulated) or {:.2f} us (single-stepped), a return {:.2f} us",
               entry_ns(symbols::SiteKind::kEmulated) / 1000, entry_ns(symbols::SiteKind::kSingleStepped) / 1000,
               return_ns() / 1000);
}

void HitCosts::wait(std::int64_t now_ns) {
  if (running_.valid()) {
    static_cast<void>(running_.wait_for(std::chrono::seconds(1)));
    poll(now_ns);
  }
}

double HitCosts::entry_ns(symbols::SiteKind kind) const {
  return figures_.entry_ns(kind).value_or(bare_entry_ns(kind));
}

double HitCosts::return_ns() const { return figures_.cost_ns("return").value_or(kBareReturnNs); }

double HitCosts::futex_call_ns(kernel::FutexHook hook) const {
  switch (hook) {
    case kernel::FutexHook::kFunction:
      return kBareFutexFunctionNs;
    case kernel::FutexHook::kTracepoint:
      return 2 * tracepoint_ns_;
    case kernel::FutexHook::kRawTracepoint:
      return kBareFutexRawNs;
  }
  return 0;
}

}  // namespace raceguard::app
