// SPDX-License-Identifier: Apache-2.0
// A short way to write prometheus-cpp's families down.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/export/metric_tables.h"

namespace raceguard::exporting {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class FamilyList {
 public:
  // Opens a family; what follows goes into it.
  FamilyList& counter(const std::string& name, const std::string& help);
  FamilyList& gauge(const std::string& name, const std::string& help);
  FamilyList& histogram(const std::string& name, const std::string& help);
  FamilyList& value(double value, const MetricLabels& labels = {});
  FamilyList& value(std::uint64_t count, const MetricLabels& labels = {}) {
    return value(static_cast<double>(count), labels);
  }
  FamilyList& durations(const Growing& figures, const MetricLabels& labels);

  [[nodiscard]] const std::vector<prometheus::MetricFamily>& families() const { return families_; }

 private:
  FamilyList& open(const std::string& name, const std::string& help, prometheus::MetricType type);
  prometheus::ClientMetric& add(const MetricLabels& labels);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace raceguard::exporting
