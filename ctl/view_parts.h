// SPDX-License-Identifier: Apache-2.0
// Words and figures that several views share.
#pragma once

#include <string>

#include "ctl/document.h"
#include "ctl/text.h"

namespace raceguard::ctl {

// "half-open"
[[nodiscard]] std::string state_words(const std::string& state);
[[nodiscard]] Tone state_tone(const std::string& state);
// "slow ratio 62 %" "lock wait p99 85 ms": a measured value in the unit of its name
[[nodiscard]] std::string measured_name(const std::string& what);
[[nodiscard]] std::string measured_value(const std::string& what, double value);
// How long before the document's own time `key` was, or "-"
[[nodiscard]] std::string age_of(const Doc& document, const Doc& member, const char* key);
// "12:03:44" of an RFC 3339 time, with its day if that is not the document's
[[nodiscard]] std::string clock_of(const Doc& document, const Doc& member, const char* key);
// "void ns::f<int>(Foo const&)" -> "ns::f<int>": arguments make a table unreadable; -o json has them
[[nodiscard]] std::string short_function(const std::string& function);
[[nodiscard]] std::string file_name(const std::string& path);

}  // namespace raceguard::ctl
