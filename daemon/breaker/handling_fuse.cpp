// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/handling_fuse.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "daemon/breaker/exemption_times.h"

namespace raceguard::breaker {

HandlingFuse::HandlingFuse(const GovernorOptions& options, std::uint64_t seed)
    : options_(options), retry_(exemption_times(options)), backoff_(seed) {}

std::optional<BudgetStep> HandlingFuse::tick(const Instant& now, std::int64_t elapsed_ns, const Handling& handling) {
  using Kind = BudgetStep::Kind;
  if (state_ == State::kOpen) {
    if (now.monotonic_ns < next_change_ns_) {
      return std::nullopt;
    }
    return move(now, Kind::kFuseTry, "its time is over");
  }
  const double kept =
      state_ == State::kTrial ? 1 : std::exp(-static_cast<double>(elapsed_ns) / static_cast<double>(kWindowNs));
  hits_ = hits_ * kept + static_cast<double>(handling.hits);
  total_ns_ = total_ns_ * kept + static_cast<double>(handling.total_ns);

  const auto bound_ns = static_cast<double>(options_.fuse_handling_ns);
  const bool enough = hits_ >= static_cast<double>(kMinimumHits);
  const std::string mean = fmt::format("handling a hit takes {:.3g} us", mean_ns() / kNsPerUs);
  if (enough && mean_ns() > bound_ns) {
    return move(now, Kind::kFuseOpen, fmt::format("{}, more than {:.3g} us", mean, bound_ns / kNsPerUs));
  }
  if (state_ == State::kClosed || now.monotonic_ns < next_change_ns_) {
    return std::nullopt;
  }
  if (enough && mean_ns() > kCloseShare * bound_ns) {
    return move(now, Kind::kFuseOpen,
                fmt::format("{} on trial, more than {:.3g} us", mean, kCloseShare * bound_ns / kNsPerUs));
  }
  return move(now, Kind::kFuseClose, enough ? mean : "few hits to judge by");
}

BudgetStep HandlingFuse::blow(const Instant& now, std::string reason, std::vector<Measurement> evidence) {
  BudgetStep step = move(now, BudgetStep::Kind::kFuseOpen, std::move(reason));
  step.evidence = std::move(evidence);
  backoff_.note_failed_trial();  // the next time it stays open for longer: a trial of ten seconds does not test this
  return step;
}

BudgetStep HandlingFuse::move(const Instant& now, BudgetStep::Kind kind, std::string reason) {
  const Measurement measured = {.what = "handling_seconds",
                                .value = mean_ns() / kNsPerSecond,
                                .threshold = static_cast<double>(options_.fuse_handling_ns) / kNsPerSecond,
                                .samples = static_cast<std::uint64_t>(hits_)};
  next_change_ns_ = 0;
  if (kind == BudgetStep::Kind::kFuseOpen) {
    if (state_ == State::kTrial) {
      backoff_.note_failed_trial();
    }
    state_ = State::kOpen;
    next_change_ns_ = now.monotonic_ns + backoff_.open_time_ns(retry_, now.monotonic_ns);
  } else if (kind == BudgetStep::Kind::kFuseTry) {
    state_ = State::kTrial;
    next_change_ns_ = now.monotonic_ns + std::min(kTrialNs, options_.exempt_for_ns);
  } else {
    state_ = State::kClosed;
    if (hits_ >= static_cast<double>(kMinimumHits)) {
      backoff_.note_passed_trial();
    }
  }
  hits_ = 0;
  total_ns_ = 0;
  reason_ = reason;
  return {.kind = kind,
          .group = {},
          .key = {},
          .name = {},
          .reason = std::move(reason),
          .evidence = {measured},
          .time = now,
          .next_change_ns = next_change_ns_};
}

}  // namespace raceguard::breaker
