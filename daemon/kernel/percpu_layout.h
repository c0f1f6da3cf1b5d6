// SPDX-License-Identifier: Apache-2.0
// Where the kernel keeps some of its per-CPU variables, as its BTF says: kallsyms names variables only with
// CONFIG_KALLSYMS_ALL, so that a program cannot rely on their symbols.
#pragma once

#include <cstdint>

namespace raceguard::kernel {

// From a CPU's `runqueues`, in bytes; 0: not known.
struct PercpuDistances {
  std::int64_t tick = 0;     // to tick_cpu_sched (kernel/time/tick-sched.c)
  std::int64_t preempt = 0;  // to __preempt_count (arch/x86); in pcpu_hot from 6.2 to 6.13, and not looked for there
};

// Of the running kernel; all 0 without its BTF.
[[nodiscard]] PercpuDistances read_percpu_distances();

}  // namespace raceguard::kernel
