// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/openmetrics.h"

#include <prometheus/metric_family.h>

#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace raceguard::exporting {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '\\':
        result += "\\\\";
        break;
      case '"':
        result += "\\\"";
        break;
      case '\n':
        result += "\\n";
        break;
      default:
        result += c;
    }
  }
  return result;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string labels(const ClientMetric& metric, const std::string& bound = {}) {
  std::string text;
  for (const ClientMetric::Label& label : metric.label) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", label.name, escaped(label.value));
  }
  if (!bound.empty()) {
    text += fmt::format("{}le=\"{}\"", text.empty() ? "" : ",", bound);
  }
  return text.empty() ? text : "{" + text + "}";
}

void put_histogram(std::string& out, const std::string& name, const ClientMetric& metric) {
  for (const ClientMetric::Bucket& bucket : metric.histogram.bucket) {
    out += fmt::format("{}_bucket{} {}\n", name, labels(metric, number(bucket.upper_bound)), bucket.cumulative_count);
  }
  out += fmt::format("{}_count{} {}\n", name, labels(metric), metric.histogram.sample_count);
  out += fmt::format("{}_sum{} {}\n", name, labels(metric), number(metric.histogram.sample_sum));
}

std::string_view unit_of(std::string_view name) {
  for (const std::string_view unit : {"seconds", "bytes"}) {
    if (name.size() > unit.size() && name.ends_with(unit) && name[name.size() - unit.size() - 1] == '_') {
      return unit;
    }
  }
  return {};
}

void put_family(std::string& out, const MetricFamily& family) {
  const bool counter = family.type == MetricType::Counter;
  const bool histogram = family.type == MetricType::Histogram;
  std::string name = family.name;
  if (counter && name.ends_with("_total")) {
    name.resize(name.size() - std::string_view("_total").size());
  }
  out += fmt::format("# TYPE {} {}\n", name, counter ? "counter" : histogram ? "histogram" : "gauge");
  if (const std::string_view unit = unit_of(name); !unit.empty()) {
    out += fmt::format("# UNIT {} {}\n", name, unit);
  }
  out += fmt::format("# HELP {} {}\n", name, escaped(family.help));
  for (const ClientMetric& metric : family.metric) {
    if (histogram) {
      put_histogram(out, name, metric);
    } else {
      out += fmt::format("{}{}{} {}\n", name, counter ? "_total" : "", labels(metric),
                         number(counter ? metric.counter.value : metric.gauge.value));
    }
  }
}

}  // namespace

std::string to_openmetrics(const std::vector<MetricFamily>& families) {
  std::string out;
  for (const MetricFamily& family : families) {
    put_family(out, family);
  }
  return out + "# EOF\n";
}

}  // namespace raceguard::exporting
