// SPDX-License-Identifier: Apache-2.0
// Which functions wait on locks, which on conditions: what the innermost frames of a waiter's stack tell about its
// wait.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "daemon/events/event.h"

namespace raceguard::events {

// What a function of that (demangled) name waits for; empty: the name tells nothing.
[[nodiscard]] std::optional<LockStackEvent::WaitKind> wait_kind_of(std::string_view function);

// By the innermost frame whose name tells; empty: none of the reliable frames does.
[[nodiscard]] std::optional<LockStackEvent::WaitKind> wait_kind_of(const Stack& stack);

// True for the code between the system call and the one who wanted the lock: libc's, libstdc++'s and other libraries'
// lock functions, and inlined wrappers such as std::lock_guard.
[[nodiscard]] bool is_lock_machinery(const symbols::CodeSite& site);

// True inside the C library's locks, condition variables and semaphores, whose words plain instructions of it touch
// too.
[[nodiscard]] bool is_in_library_lock(const symbols::CodeSite& site);

// The innermost frame that is no lock machinery: who wanted the lock, or let it go. frames.size() if there is none.
[[nodiscard]] std::size_t first_caller(const Stack& stack);

}  // namespace raceguard::events
