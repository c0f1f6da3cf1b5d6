// SPDX-License-Identifier: Apache-2.0
// CPU time that a process used.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace raceguard::app {

// User and system time of all its threads so far, ended ones included, in nanoseconds. By the process's CPU clock,
// which needs no right and no file: /proc/PID/stat counts in ticks of 10 ms, a tenth of what the budget judges. 0: the
// process is gone.
[[nodiscard]] std::int64_t process_cpu_ns(pid_t pid);

}  // namespace raceguard::app
