// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/armed_time.h"

#include <algorithm>
#include <cmath>

#include "raceguard/clock.h"

namespace raceguard::plan {
namespace {

constexpr double kTimesBudget = 3;
constexpr double kWindowNs = 4 * kNsPerMs;         // a window's length, but for the caller's steps
constexpr double kFirstWindowNs = 500 * kNsPerMs;  // most races of a process show in its first moments under watch

}  // namespace

ArmedTime::ArmedTime(std::optional<double> string_slowdown, double budget)
    : share_(string_slowdown && *string_slowdown < kBearableSlowdown ? 1.0 : std::min(1.0, kTimesBudget * budget)),
      saved_ns_(kFirstWindowNs) {}

bool ArmedTime::step(std::int64_t now_ns) {
  const auto elapsed_ns = static_cast<double>(stepped_ns_ == 0 ? 0 : std::max<std::int64_t>(now_ns - stepped_ns_, 0));
  stepped_ns_ = now_ns;
  if (!is_limited()) {
    return true;
  }
  if (open_) {
    saved_ns_ -= elapsed_ns;
  }
  // No more than a window is saved up: the first one comes once.
  saved_ns_ = std::max(saved_ns_, std::min(kWindowNs, saved_ns_ + share_ * elapsed_ns));
  open_ = open_ ? saved_ns_ > 0 : saved_ns_ >= kWindowNs;
  return open_;
}

std::int64_t ArmedTime::until_open_ns() const {
  return open_ || !is_limited() ? 0 : static_cast<std::int64_t>(std::ceil((kWindowNs - saved_ns_) / share_));
}

void ArmedTime::pause(std::int64_t now_ns) {
  static_cast<void>(step(now_ns));
  open_ = false;
}

}  // namespace raceguard::plan
