// SPDX-License-Identifier: Apache-2.0
// A hardware watchpoint on one address of this thread.
#pragma once

#include "daemon/kernel/link.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

// Runs the program (type perf_event) at each write of the calling thread to the 8 aligned bytes at `address`.
Result<Link> watch_own_writes(bpf_program* program, const void* address);

}  // namespace raceguard::kernel
