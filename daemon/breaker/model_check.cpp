// SPDX-License-Identifier: Apache-2.0
#include "daemon/breaker/model_check.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace raceguard::breaker {

void ModelCheck::begin(std::int64_t now_ns, const ModelFigures& figures, bool hidden, bool is_second) {
  window_ = Window{.hidden = hidden, .is_second = is_second, .began_ns = now_ns, .began = figures};
}

void ModelCheck::end_series(std::int64_t now_ns) {
  window_.reset();
  first_.reset();
  pairs_left_ = 0;
  next_series_ns_ = now_ns + kSeriesEveryNs;
}

bool ModelCheck::wants_figures(std::int64_t now_ns) const {
  return window_ ? now_ns - window_->began_ns >= kWindowNs : now_ns >= next_series_ns_;
}

bool ModelCheck::tick(std::int64_t now_ns, const ModelFigures& figures) {
  const bool was_hidden = returns_hidden();
  if (next_series_ns_ == 0) {
    next_series_ns_ = now_ns + kFirstAfterNs;
  }
  if (!window_) {
    if (now_ns >= next_series_ns_) {
      pairs_left_ = kPairsOfSeries;
      begin(now_ns, figures, random_.next_unit() < 0.5, false);
    }
    return returns_hidden() != was_hidden;
  }
  if (now_ns - window_->began_ns < kWindowNs) {
    return false;
  }
  const Window done = *window_;
  const std::uint64_t calls = figures.calls - done.began.calls;
  const bool usable = figures.epoch == done.began.epoch && figures.calls >= done.began.calls && calls >= kLeastCalls;
  if (!usable) {
    first_.reset();
    if (--pairs_left_ == 0) {
      end_series(now_ns);
    } else {
      begin(now_ns, figures, random_.next_unit() < 0.5, false);
    }
    return returns_hidden() != was_hidden;
  }
  const auto count = static_cast<double>(calls);
  const Half half{.cpu_per_call = static_cast<double>(figures.cpu_ns - done.began.cpu_ns) / count,
                  .returns_per_call = static_cast<double>(figures.returns - done.began.returns) / count};
  if (!done.is_second) {
    first_ = half;
    begin(now_ns, figures, !done.hidden, true);
    return true;
  }
  const Half& seen = done.hidden ? *first_ : half;
  const Half& hidden = done.hidden ? half : *first_;
  pairs_.push_back({.felt_ns = seen.cpu_per_call - hidden.cpu_per_call,
                    .charged_ns = (seen.returns_per_call - hidden.returns_per_call) * figures.return_ns,
                    .cpu_per_call = seen.cpu_per_call});
  if (pairs_.size() > kMostPairs) {
    pairs_.pop_front();
  }
  judge();
  if (--pairs_left_ == 0) {
    end_series(now_ns);
  } else {
    begin(now_ns, figures, random_.next_unit() < 0.5, false);
  }
  return returns_hidden() != was_hidden;
}

void ModelCheck::judge() {
  result_ = {.pairs = pairs_.size()};
  if (pairs_.size() < kLeastPairs) {
    return;
  }
  std::vector<double> felt_ns;
  double charged_ns = 0;
  double cpu_ns = 0;
  for (const Pair& pair : pairs_) {
    felt_ns.push_back(pair.felt_ns);
    charged_ns += pair.charged_ns;
    cpu_ns += pair.cpu_per_call;
  }
  const auto count = static_cast<double>(pairs_.size());
  charged_ns /= count;
  cpu_ns /= count;
  if (charged_ns <= 0 || cpu_ns <= 0) {
    return;
  }
  std::ranges::sort(felt_ns);
  const double rank = std::floor((count - kSigmas * std::sqrt(count)) / 2);
  const auto low = static_cast<std::size_t>(std::max(rank, 0.0));
  result_.felt = felt_ns[felt_ns.size() / 2] / charged_ns;
  result_.lower = felt_ns[low] / charged_ns;
  result_.upper = felt_ns[felt_ns.size() - 1 - low] / charged_ns;
  result_.lower_share = felt_ns[low] / cpu_ns;
  result_.known = result_.upper - result_.lower <= kWidestKnown * std::max(1.0, result_.felt);
}

std::optional<ModelCheck::Result> ModelCheck::found_wrong(double bound, double limit) {
  if (result_.pairs < kLeastPairs || window_) {
    return std::nullopt;
  }
  const Result seen = result_;
  if (seen.lower <= bound || seen.lower_share <= limit) {
    suspected_ = false;
    return std::nullopt;
  }
  const bool again = std::exchange(suspected_, !suspected_);
  pairs_.clear();
  result_ = {};
  if (again) {
    return seen;
  }
  next_series_ns_ = 1;  // at once
  return std::nullopt;
}

}  // namespace raceguard::breaker
