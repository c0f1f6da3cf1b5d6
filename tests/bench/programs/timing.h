// SPDX-License-Identifier: Apache-2.0
// The cost of one run of something, in CPU time of the calling thread: what other programs take meanwhile does not
// count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <limits>

#include "raceguard/clock.h"

namespace raceguard::bench {

inline std::int64_t thread_cpu_ns() {
  timespec value{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &value);
  return value.tv_sec * kNsPerSecond + value.tv_nsec;
}

struct Batches {
  int count = 10;  // the fastest counts: caches that others emptied, and what a hypervisor took, are not the probe's
  std::int64_t length_ns = 2'000'000;
};

template <typename Body>
double ns_per_run(const Batches& batches, const Body& body) {
  constexpr int kRunsPerLook = 64;  // the clock of a thread is a system call
  double fastest = std::numeric_limits<double>::max();
  for (int batch = 0; batch < batches.count; ++batch) {
    std::int64_t runs = 0;
    std::int64_t elapsed_ns = 0;
    const std::int64_t start_ns = thread_cpu_ns();
    do {
      for (int i = 0; i < kRunsPerLook; ++i) {
        body();
      }
      runs += kRunsPerLook;
      elapsed_ns = thread_cpu_ns() - start_ns;
    } while (elapsed_ns < batches.length_ns);
    fastest = std::min(fastest, static_cast<double>(elapsed_ns) / static_cast<double>(runs));
  }
  return fastest;
}

}  // namespace raceguard::bench
