// SPDX-License-Identifier: Apache-2.0
// CPU time that a process used.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace raceguard::app {

// User and system time of all its threads so far, ended ones included, in nanoseconds (ticks of /proc/PID/stat: 10 ms).
// 0: the process is gone.
[[nodiscard]] std::int64_t process_cpu_ns(pid_t pid);

}  // namespace raceguard::app
