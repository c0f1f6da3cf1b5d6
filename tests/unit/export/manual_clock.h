// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "raceguard/clock.h"
#include "tests/unit/export/sample_snapshot.h"

namespace raceguard::exporting {

struct ManualClock final : Clock {
  std::int64_t now_monotonic_ns = kSampleMonotonicNs;
  std::int64_t now_realtime_ns = kSampleRealtimeNs;
  [[nodiscard]] std::int64_t monotonic_ns() const override { return now_monotonic_ns; }
  [[nodiscard]] std::int64_t realtime_ns() const override { return now_realtime_ns; }
};

}  // namespace raceguard::exporting
