// SPDX-License-Identifier: Apache-2.0
// Which format a scraper wants (RFC 9110, section 12.5.1, as far as scrapers use it).
#include <algorithm>
#include <charconv>

#include "daemon/export/metrics.h"

namespace raceguard::exporting {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Takes what stands before `separator` off the front.
std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return trimmed(part);
}

struct MediaRange {
  std::string_view type;
  std::string_view version;
  double quality = 1;
};

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  range.type = take(text, ';');
  while (!text.empty()) {
    std::string_view parameter = take(text, ';');
    const std::string_view name = take(parameter, '=');
    if (name == "q") {
      std::from_chars(parameter.data(), parameter.data() + parameter.size(), range.quality);
    } else if (name == "version") {
      range.version = parameter;
    }
  }
  return range;
}

}  // namespace

MetricsFormat negotiate(std::string_view accept_header) {
  double open_metrics = 0;
  double text = 0;
  while (!accept_header.empty()) {
    const MediaRange range = parse_range(take(accept_header, ','));
    if (range.type == "application/openmetrics-text" && (range.version.empty() || range.version == "1.0.0")) {
      open_metrics = std::max(open_metrics, range.quality);
    } else if (range.type == "text/plain") {
      text = std::max(text, range.quality);
    }
  }
  return open_metrics > 0 && open_metrics >= text ? MetricsFormat::kOpenMetrics : MetricsFormat::kText;
}

std::string_view content_type(MetricsFormat format) {
  return format == MetricsFormat::kOpenMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace raceguard::exporting
