// SPDX-License-Identifier: Apache-2.0
#include "daemon/process_cpu.h"

#include <ctime>

#include "raceguard/clock.h"

namespace raceguard::app {

std::int64_t process_cpu_ns(pid_t pid) {
  clockid_t clock = 0;
  timespec used{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0) {
    return 0;
  }
  return used.tv_sec * kNsPerSecond + used.tv_nsec;
}

}  // namespace raceguard::app
