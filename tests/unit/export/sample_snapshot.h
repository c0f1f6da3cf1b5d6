// SPDX-License-Identifier: Apache-2.0
// A small state with one of everything.
#pragma once

#include "daemon/export/snapshot.h"

namespace raceguard::exporting {

inline constexpr std::int64_t kSampleRealtimeNs = 1'767'225'600'123'456'789;  // 2026-01-01T00:00:00.123456789Z
inline constexpr std::int64_t kSampleMonotonicNs = 5'000'000'000'000;

[[nodiscard]] detect::Histogram histogram_of(const std::vector<std::uint64_t>& durations_ns);
[[nodiscard]] detect::LockFigures sample_lock(const std::string& name, std::uint64_t address, std::uint64_t waits,
                                              std::uint64_t wait_ns);
[[nodiscard]] detect::FunctionFigures sample_function(std::uint32_t id, const std::string& name, std::uint64_t calls,
                                                      std::uint64_t duration_ns);
[[nodiscard]] Snapshot sample_snapshot();
// A thread of checkout that waits for itself, last seen at that time.
[[nodiscard]] detect::Finding sample_deadlock(std::int64_t realtime_ns);

}  // namespace raceguard::exporting
