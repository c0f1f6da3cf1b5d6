// SPDX-License-Identifier: Apache-2.0
// The stack of a thread that sleeps and will not wake up: there is no event to take it at.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "daemon/events/stack_maker.h"
#include "daemon/targets/thread_reader.h"

namespace raceguard::app {

// No frames: it cannot be read, or the thread runs.
[[nodiscard]] events::Stack sleeping_stack(const targets::ThreadReader& threads, events::StackMaker& stacks, pid_t pid,
                                           pid_t tid, std::int64_t now_ns);

}  // namespace raceguard::app
