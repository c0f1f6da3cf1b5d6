// SPDX-License-Identifier: Apache-2.0
// One scalar of a policy to a value and back to text.
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "daemon/policy/document.h"
#include "daemon/policy/key.h"
#include "raceguard/error_codes.h"

namespace raceguard::policy {

// Why a scalar is no value of its key.
struct Fault {
  ErrorCode code = ErrorCode::kPolicyValue;
  std::string found;     // "20 without a unit"
  std::string expected;  // "a duration such as 20ms (units: ns, us, ms, s, m, h)"
  std::string hint;      // did_you_mean(...)
};

// `node` is a scalar. Ranges are the key's. Kinds that need more than one scalar are not for here.
tl::expected<Value, Fault> read_scalar(const Node& node, const Key& key);

// "a duration such as 20ms (units: ns, us, ms, s, m, h)"
std::string expectation(const Key& key);

// A number of the key's kind as a user would write it: 20000000 -> "20ms", 0.5 -> "50%".
std::string to_text(Kind kind, double value);

// "10ms to 1h"; empty for kinds without a range.
std::string range_text(const Key& key);

// What stands at a node, for "found": "a list", "nothing", "\"abc\"".
std::string found_text(const Node& node);

}  // namespace raceguard::policy
