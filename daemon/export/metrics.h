// SPDX-License-Identifier: Apache-2.0
// /metrics from a Snapshot, in Prometheus' text format 0.0.4 and in OpenMetrics 1.0 (docs/metrics.md).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace raceguard::exporting {

struct Snapshot;
struct ProcessFigures;

enum class MetricsFormat { kText, kOpenMetrics };

// OpenMetrics if the Accept header asks for it at a quality that is not below that of text/plain.
[[nodiscard]] MetricsFormat negotiate(std::string_view accept_header);
[[nodiscard]] std::string_view content_type(MetricsFormat format);

class Metrics {
 public:
  // `top_k`: locks, and functions, with an own label; the rest is "other" (daemon.metrics_top_k).
  explicit Metrics(std::size_t top_k);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Takes growth into the series. render() does it too; the daemon may call it more often, so that what a short-lived
  // process waited is counted even if it ends before the next scrape: 0.3 ms with 200 locks, 40 ms with 8192, so not at
  // each tick. Thread-safe. A snapshot is taken in once.
  void observe(const Snapshot& snapshot);

  [[nodiscard]] std::string render(const Snapshot& snapshot, const ProcessFigures& process, MetricsFormat format);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raceguard::exporting
