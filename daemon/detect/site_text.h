// SPDX-License-Identifier: Apache-2.0
// Code sites and durations as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/events/event.h"

namespace raceguard::detect {

// "restock() at server.cpp:88", "pthread_mutex_lock+0x50 in libc.so.6", "0x1234 in mariadbd".
[[nodiscard]] std::string site_text(const symbols::CodeSite& site);

// The site of the one who wanted the lock or let it go; empty: the stack does not tell, or cannot be trusted.
[[nodiscard]] std::string caller_text(const events::Stack& stack);

// Three significant digits: "85 ms", "1.25 s", "340 us".
[[nodiscard]] std::string duration_text(std::int64_t ns);

// "1 call", "1,204 calls".
[[nodiscard]] std::string count_text(std::uint64_t count, const std::string& noun);

}  // namespace raceguard::detect
