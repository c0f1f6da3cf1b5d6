// SPDX-License-Identifier: Apache-2.0
// OpenMetrics 1.0 text from prometheus-cpp's families, which that library itself cannot write.
#pragma once

#include <string>
#include <vector>

namespace prometheus {
struct MetricFamily;
}

namespace raceguard::exporting {

// Differs from the text format: a counter's family is named without _total, # UNIT lines, # EOF.
[[nodiscard]] std::string to_openmetrics(const std::vector<prometheus::MetricFamily>& families);

}  // namespace raceguard::exporting
