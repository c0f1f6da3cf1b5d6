// SPDX-License-Identifier: Apache-2.0
// The parts that several documents share: times, durations, histograms, stacks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "daemon/breaker/decision.h"
#include "daemon/detect/finding.h"

namespace raceguard::exporting {

struct Snapshot;
struct SwitchView;

// Of a table of names in the order of the enumeration.
template <typename Enum, std::size_t N>
[[nodiscard]] std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

[[nodiscard]] double to_seconds(std::int64_t ns);
[[nodiscard]] nlohmann::json time_or_null(std::int64_t realtime_ns);  // 0 is null
// A CLOCK_MONOTONIC time as people read it, by the two clocks of the snapshot; 0 is null.
[[nodiscard]] nlohmann::json monotonic_or_null(const Snapshot& snapshot, std::int64_t monotonic_ns);
[[nodiscard]] nlohmann::json text_or_null(const std::string& text);
[[nodiscard]] double ratio(std::uint64_t part, std::uint64_t whole);  // 0 of 0 is 0
// {"total", "mean", "p50", "p90", "p99", "max"}, all in seconds. Quantiles are the upper bound of their bucket (25 %
// wide).
[[nodiscard]] nlohmann::json durations_json(const detect::Histogram& histogram, std::int64_t total_ns,
                                            std::int64_t max_ns);
[[nodiscard]] nlohmann::json stack_json(const events::Stack& stack);
[[nodiscard]] nlohmann::json document_head(const Snapshot& snapshot);  // {"time": ..}
[[nodiscard]] nlohmann::json switch_json(const Snapshot& snapshot, const SwitchView& view);
[[nodiscard]] nlohmann::json measurements_json(const std::vector<breaker::Measurement>& measurements);
// By enum rg_drop_reason; what was never lost is left out.
[[nodiscard]] nlohmann::json drops_json(const std::vector<std::uint64_t>& drops);

}  // namespace raceguard::exporting
