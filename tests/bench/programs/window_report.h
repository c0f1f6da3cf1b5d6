// SPDX-License-Identifier: Apache-2.0
// Counts and delays of operations since the last look, for programs that a benchmark asks in windows: each line on
// standard input is answered by one JSON line; its end ends the program.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <string>
#include <utility>

namespace raceguard::bench {

// Delays by powers of two, each in 16 steps: a percentile is told with an error of 6 %.
class Delays {
 public:
  void add(std::int64_t delay_ns) {
    ++counts_.at(index(static_cast<std::uint64_t>(delay_ns < 1 ? 1 : delay_ns)));
    ++measured_;
  }

  void add(const Delays& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      counts_.at(i) += other.counts_.at(i);
    }
    measured_ += other.measured_;
  }

  // The upper end of the step that holds it; 0 if nothing was measured.
  [[nodiscard]] std::uint64_t percentile_ns(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(measured_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_.at(i);
      if (seen > wanted) {
        return upper_end_ns(i);
      }
    }
    return 0;
  }

 private:
  static constexpr unsigned kStepBits = 4;
  static constexpr std::size_t kSteps = 1U << kStepBits;

  static std::size_t index(std::uint64_t value) {
    const unsigned power = static_cast<unsigned>(std::bit_width(value)) - 1;
    const unsigned shift = power > kStepBits ? power - kStepBits : 0;
    return shift * kSteps + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper_end_ns(std::size_t step) {
    const std::size_t shift = step < 2 * kSteps ? 0 : step / kSteps - 1;
    return (static_cast<std::uint64_t>(step - shift * kSteps) + 1) << shift;
  }

  std::array<std::uint64_t, 62 * kSteps> counts_{};
  std::uint64_t measured_ = 0;
};

struct Operations {
  std::uint64_t done = 0;
  Delays delays;
};

// Threads hand over now and then, under a lock, so that race detectors see an orderly program.
class WindowReport {
 public:
  void hand_over(Operations& own) {
    const std::lock_guard lock(mutex_);
    sum_.done += own.done;
    sum_.delays.add(own.delays);
    own = {};
  }

  // Answers lines until standard input ends.
  void answer_lines() {
    auto since = std::chrono::steady_clock::now();
    for (std::string line; std::getline(std::cin, line);) {
      Operations window;
      {
        const std::lock_guard lock(mutex_);
        std::swap(window, sum_);
      }
      const auto now = std::chrono::steady_clock::now();
      std::printf("{\"operations\": %llu, \"seconds\": %.6f, \"p99_ns\": %llu}\n",
                  static_cast<unsigned long long>(window.done), std::chrono::duration<double>(now - since).count(),
                  static_cast<unsigned long long>(window.delays.percentile_ns(0.99)));
      std::fflush(stdout);
      since = now;
    }
  }

 private:
  std::mutex mutex_;
  Operations sum_;
};

}  // namespace raceguard::bench
