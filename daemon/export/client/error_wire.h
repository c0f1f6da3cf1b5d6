// SPDX-License-Identifier: Apache-2.0
// How an Error travels in JSON: {"code": "RG-W101", "title": .., "what": .., "remedy": ..}. Used by the HTTP API, by
// the control socket's server and by its client.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"

namespace raceguard::exporting {

[[nodiscard]] nlohmann::json error_to_json(const Error& error);

// The reverse. A code that this build does not know (a newer daemon) becomes kInternal, with the code kept in the text.
[[nodiscard]] Error error_from_json(const nlohmann::json& document);

// One line of text. Bytes that are not UTF-8 (a process may name itself anything) become U+FFFD; dump() alone would
// throw.
[[nodiscard]] std::string to_line(const nlohmann::json& document);

}  // namespace raceguard::exporting
