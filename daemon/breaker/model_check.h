// SPDX-License-Identifier: Apache-2.0
// Holds what return probes are charged for against what their callers feel, in pairs of short windows: in one returns
// are seen, in the other they are not, and every call is counted in both. What the targets' CPU time a call differs by
// is what a return really costs them, cold caches and all. Pure: time, figures and the seed are arguments.
//
// Load that changes is in both windows of a pair, and which comes first is drawn anew each time, so that a drift
// cancels. Differences are judged by their median and its distribution-free confidence interval (order statistics;
// Conover, Practical Nonparametric Statistics, 3.2): one window in which the target did something else moves it by one
// rank.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "daemon/breaker/backoff.h"
#include "raceguard/clock.h"

namespace raceguard::breaker {

// Of a group of targets, running sums.
struct ModelFigures {
  std::uint64_t calls = 0;    // of the functions whose returns can be hidden
  std::uint64_t returns = 0;  // that were seen
  std::int64_t cpu_ns = 0;    // of the targets
  double return_ns = 0;       // what a return is charged with
  std::uint64_t epoch = 0;    // another one: processes or probes changed, a window over it is worth nothing
};

class ModelCheck {
 public:
  static constexpr std::int64_t kWindowNs = kNsPerSecond / 4;
  static constexpr std::size_t kPairsOfSeries = 40;  // 20 s, in half of which durations are not seen
  static constexpr std::int64_t kSeriesEveryNs = 600 * kNsPerSecond;
  static constexpr std::int64_t kFirstAfterNs = 20 * kNsPerSecond;
  static constexpr std::uint64_t kLeastCalls = 25;  // in a window
  static constexpr std::size_t kLeastPairs = 30;    // for an answer
  static constexpr std::size_t kMostPairs = 200;    // the last ones count
  // The interval holds the true median in all but 6 of 100,000 cases.
  static constexpr double kSigmas = 4;
  // Known: the interval is not wider than this, in times of what is charged.
  static constexpr double kWidestKnown = 2;

  // In times of what is charged: 1 is the model's own.
  struct Result {
    std::size_t pairs = 0;
    bool known = false;
    double felt = 0;  // median
    double lower = 0;
    double upper = 0;
    double lower_share = 0;  // the lower bound as a share of the targets' CPU time while returns were seen
  };

  explicit ModelCheck(std::uint64_t seed) : random_(seed) {}

  // Figures cost a system call for each process, so they are asked for when a window ends or begins.
  [[nodiscard]] bool wants_figures(std::int64_t now_ns) const;
  // At such a tick; true if returns_hidden() changed by it.
  bool tick(std::int64_t now_ns, const ModelFigures& figures);
  [[nodiscard]] bool returns_hidden() const { return window_ && window_->hidden; }
  [[nodiscard]] const Result& result() const { return result_; }

  // More than `bound` times what is charged, for certain, and more than `limit` of the CPU time: once may be chance in
  // years, so the pairs are forgotten and taken again at once; its figures when the second series says the same.
  std::optional<Result> found_wrong(double bound, double limit);

 private:
  struct Window {
    bool hidden = false;
    bool is_second = false;
    std::int64_t began_ns = 0;
    ModelFigures began;
  };
  struct Half {
    double cpu_per_call = 0;
    double returns_per_call = 0;
  };
  struct Pair {
    double felt_ns = 0;  // a call's share of what returns cost
    double charged_ns = 0;
    double cpu_per_call = 0;  // while returns were seen
  };
  void begin(std::int64_t now_ns, const ModelFigures& figures, bool hidden, bool is_second);
  void end_series(std::int64_t now_ns);
  void judge();

  RandomSource random_;
  std::int64_t next_series_ns_ = 0;  // 0: not known yet
  std::size_t pairs_left_ = 0;
  std::optional<Window> window_;
  std::optional<Half> first_;
  std::deque<Pair> pairs_;
  bool suspected_ = false;
  Result result_;
};

}  // namespace raceguard::breaker
