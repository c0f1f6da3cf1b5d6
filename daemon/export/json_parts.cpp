// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/json_parts.h"

#include <array>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/events/lock_functions.h"
#include "daemon/export/json_views.h"
#include "daemon/export/snapshot.h"
#include "raceguard/abi/drop_reasons.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

std::string_view trust_name(events::StackTrust trust) {
  switch (trust) {
    case events::StackTrust::kUnwound:
      return "unwound";
    case events::StackTrust::kFramePointers:
      return "frame_pointers";
    case events::StackTrust::kUntrusted:
      return "untrusted";
  }
  return "untrusted";
}

nlohmann::json frame_json(const symbols::CodeSite& site) {
  nlohmann::json frame = {{"function", text_or_null(site.function)},
                          {"function_offset", site.function_offset},
                          {"binary", text_or_null(site.binary)},
                          {"address", fmt::format("{:#x}", site.address)},
                          {"file", nullptr},
                          {"line", nullptr}};
  if (site.source) {
    frame["file"] = site.source->file;
    frame["line"] = site.source->line;
  }
  return frame;
}

}  // namespace

double to_seconds(std::int64_t ns) { return static_cast<double>(ns) / static_cast<double>(kNsPerSecond); }

std::string rfc3339_utc(std::int64_t realtime_ns) {
  const std::time_t seconds = realtime_ns / kNsPerSecond;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, realtime_ns % kNsPerSecond / kNsPerUs);
}

nlohmann::json time_or_null(std::int64_t realtime_ns) {
  return realtime_ns == 0 ? nlohmann::json(nullptr) : nlohmann::json(rfc3339_utc(realtime_ns));
}

nlohmann::json monotonic_or_null(const Snapshot& snapshot, std::int64_t monotonic_ns) {
  return monotonic_ns == 0 ? nlohmann::json(nullptr)
                           : nlohmann::json(rfc3339_utc(snapshot.realtime_ns + (monotonic_ns - snapshot.time_ns)));
}

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
}

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

nlohmann::json durations_json(const detect::Histogram& histogram, std::int64_t total_ns, std::int64_t max_ns) {
  const std::uint64_t count = histogram.total();
  return {{"total", to_seconds(total_ns)},
          {"mean", count == 0 ? 0 : to_seconds(total_ns) / static_cast<double>(count)},
          {"p50", to_seconds(histogram.quantile_ns(0.5))},
          {"p90", to_seconds(histogram.quantile_ns(0.9))},
          {"p99", to_seconds(histogram.quantile_ns(0.99))},
          {"max", to_seconds(max_ns)}};
}

nlohmann::json stack_json(const events::Stack& stack) {
  nlohmann::json frames = nlohmann::json::array();
  for (const symbols::CodeSite& site : stack.frames) {
    frames.push_back(frame_json(site));
  }
  const std::size_t caller = events::first_caller(stack);
  return {{"trust", trust_name(stack.trust)},
          {"complete", stack.complete},
          {"caller", caller < stack.frames.size() ? nlohmann::json(caller) : nlohmann::json(nullptr)},
          {"frames", std::move(frames)}};
}

nlohmann::json measurements_json(const std::vector<breaker::Measurement>& measurements) {
  nlohmann::json list = nlohmann::json::array();
  for (const breaker::Measurement& one : measurements) {
    list.push_back({{"what", one.what},
                    {"value", one.value},
                    {"threshold", one.threshold},
                    {"samples", one.samples},
                    {"crossed", one.value >= one.threshold}});
  }
  return list;
}

nlohmann::json document_head(const Snapshot& snapshot) { return {{"time", time_or_null(snapshot.realtime_ns)}}; }

nlohmann::json drops_json(const std::vector<std::uint64_t>& drops) {
  static constexpr std::array kLabels = {
#define RG_DROP_LABEL(name, label, help) label,
      RG_DROP_REASONS(RG_DROP_LABEL)
#undef RG_DROP_LABEL
  };
  nlohmann::json document = nlohmann::json::object();
  for (std::size_t i = 0; i < drops.size() && i < kLabels.size(); ++i) {
    if (drops[i] > 0) {
      document[kLabels.at(i)] = drops[i];
    }
  }
  return document;
}

}  // namespace raceguard::exporting
