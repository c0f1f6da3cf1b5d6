// SPDX-License-Identifier: Apache-2.0
// How the messages of this stage are put together.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/policy/load.h"

namespace raceguard::policy {

std::string to_string(const Position& position);  // "a.yaml:3:5", or "a.yaml" for the whole file

PolicyError error_at(ErrorCode code, const Position& position, std::string what, std::string remedy);

// A text of the file as messages quote it: at most 80 bytes, control characters shown as "?".
std::string in_quotes(std::string_view text);

// "; did you mean "x"?" for the candidate with the fewest edits, or nothing if none is near.
std::string did_you_mean(std::string_view found, const std::vector<std::string>& candidates);

// The candidate with the fewest edits (insert, delete, replace, swap neighbours), if they are few for its length.
std::string_view nearest(std::string_view found, const std::vector<std::string>& candidates);

}  // namespace raceguard::policy
