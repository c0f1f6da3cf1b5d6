// SPDX-License-Identifier: Apache-2.0
// Words and figures that several views share.
#pragma once

#include <string>
#include <vector>

#include "ctl/document.h"
#include "ctl/text.h"

namespace raceguard::ctl {

// "half-open"
[[nodiscard]] std::string state_words(const std::string& state);
[[nodiscard]] Tone state_tone(const std::string& state);
// "slow ratio 62 %" "lock wait p99 85 ms": a measured value in the unit of its name
[[nodiscard]] std::string measured_name(const std::string& what);
[[nodiscard]] std::string measured_value(const std::string& what, double value);
// The share of the calls that go to the real function, as applications see it; the breaker's own share counts for
// nothing while they see closed (mode observe).
[[nodiscard]] std::string real_share(const Doc& a_switch);
// A quantile is its bucket's upper bound and may lie above the longest: then that is shown.
[[nodiscard]] std::string quantile(const Doc& durations, const char* key);
// What could not be taken in, without what was left out on purpose (sampled_out).
[[nodiscard]] double lost_events(const Doc& status);
// How long before the document's own time `key` was, or "-"
[[nodiscard]] std::string age_of(const Doc& document, const Doc& member, const char* key);
// "12:03:44" of an RFC 3339 time, with its day if that is not the document's
[[nodiscard]] std::string clock_of(const Doc& document, const Doc& member, const char* key);
// "void ns::f<int>(Foo const&)" -> "ns::f<int>": arguments make a table unreadable; -o json has them
[[nodiscard]] std::string short_function(const std::string& function);
// Functions that are not probed because of what that cost, a paragraph each.
[[nodiscard]] std::string exemption_lines(const Doc& document, const std::vector<Doc>& exemptions, const Style& style);
[[nodiscard]] std::string file_name(const std::string& path);

// "reserve(int, int)  inventory.cpp:29": a frame of a stack, at most `width` columns where its place leaves room.
[[nodiscard]] std::string frame_text(const Doc& frame, std::size_t width);
// The innermost frames are the lock's own (pthread_mutex_lock, futex_wait): nobody looks for those.
[[nodiscard]] std::size_t first_caller(const Doc& stack, std::size_t frames);

}  // namespace raceguard::ctl
