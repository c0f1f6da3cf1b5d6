// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/metric_families.h"

#include <limits>

namespace raceguard::exporting {
namespace {

// Label values must be UTF-8; symbols and process names need not be. Bytes beyond ASCII that do not form a sequence
// become '?'.
std::string valid_utf8(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    bool valid = size > 0 && i + size <= text.size();
    for (std::size_t k = 1; valid && k < size; ++k) {
      valid = (static_cast<unsigned char>(text[i + k]) & 0xc0U) == 0x80;
    }
    result += valid ? text.substr(i, size) : "?";
    i += valid ? size : 1;
  }
  return result;
}

double seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

}  // namespace

FamilyList& FamilyList::open(const std::string& name, const std::string& help, prometheus::MetricType type) {
  families_.push_back({name, help, type, {}});
  return *this;
}

FamilyList& FamilyList::counter(const std::string& name, const std::string& help) {
  return open(name, help, prometheus::MetricType::Counter);
}
FamilyList& FamilyList::gauge(const std::string& name, const std::string& help) {
  return open(name, help, prometheus::MetricType::Gauge);
}
FamilyList& FamilyList::histogram(const std::string& name, const std::string& help) {
  return open(name, help, prometheus::MetricType::Histogram);
}

prometheus::ClientMetric& FamilyList::add(const MetricLabels& labels) {
  prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
  for (const auto& [name, value] : labels) {
    metric.label.push_back({name, valid_utf8(value)});
  }
  return metric;
}

FamilyList& FamilyList::value(double value, const MetricLabels& labels) {
  const bool counter = families_.back().type == prometheus::MetricType::Counter;
  prometheus::ClientMetric& metric = add(labels);
  (counter ? metric.counter.value : metric.gauge.value) = value;
  return *this;
}

FamilyList& FamilyList::durations(const Growing& figures, const MetricLabels& labels) {
  prometheus::ClientMetric::Histogram& histogram = add(labels).histogram;
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < kBoundCount; ++i) {
    count += figures.buckets.at(i);
    histogram.bucket.push_back({count, seconds(static_cast<std::int64_t>(bound_ns(i)))});
  }
  count += figures.buckets.back();
  histogram.bucket.push_back({count, std::numeric_limits<double>::infinity()});
  histogram.sample_count = count;
  histogram.sample_sum = seconds(figures.total_ns);
  return *this;
}

}  // namespace raceguard::exporting
