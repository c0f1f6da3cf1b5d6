// SPDX-License-Identifier: Apache-2.0
// Time is an argument. Stages that judge take `now_ns` or a Clock, so that tests run on virtual time and never sleep.
#pragma once

#include <cstdint>
#include <ctime>

namespace raceguard {

inline constexpr std::int64_t kNsPerUs = 1'000;
inline constexpr std::int64_t kNsPerMs = 1'000'000;
inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns.
  [[nodiscard]] virtual std::int64_t monotonic_ns() const = 0;
  // CLOCK_REALTIME, for what people read.
  [[nodiscard]] virtual std::int64_t realtime_ns() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_ns() const override { return read(CLOCK_MONOTONIC); }
  [[nodiscard]] std::int64_t realtime_ns() const override { return read(CLOCK_REALTIME); }

 private:
  static std::int64_t read(clockid_t id) {
    timespec value{};
    clock_gettime(id, &value);
    return value.tv_sec * kNsPerSecond + value.tv_nsec;
  }
};

}  // namespace raceguard
