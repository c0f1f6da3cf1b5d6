// SPDX-License-Identifier: Apache-2.0
// How functions that are to be kept apart are written down, in a policy and on the command line alike:
// "put", "get=read", "drop=write@arg2".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raceguard/abi/intercept.h"
#include "raceguard/error.h"

namespace raceguard::policy {

inline constexpr const char* kInterceptKeyForms = "none, arg1 to arg6, arg1+0x18, arg1+24:4, or global:NAME";

// "none", "arg1" (its value), "arg1+0x18" and "arg1+24:4" (8 or so many bytes there), "global:config.table" (its
// value).
struct InterceptKey {
  rg_key_kind kind = RG_KEY_NONE;
  std::uint8_t argument = 0;  // 1..6
  std::uint64_t offset = 0;
  std::uint8_t bytes = 8;
  std::string global;
  std::string text = "none";
  friend bool operator==(const InterceptKey&, const InterceptKey&) = default;
};

struct RequestedFunction {
  std::string name;  // on the command line a symbol, as ElfFile::find_functions takes it; in a policy a function's name
  std::string binary;  // where it is: empty: wherever it is found first; "exe"; or a glob of a mapped file's path
  bool is_reader = false;
  InterceptKey key;
  friend bool operator==(const RequestedFunction&, const RequestedFunction&) = default;
};

// Error: kUsage.
[[nodiscard]] Result<InterceptKey> parse_intercept_key(const std::string& text);
// One function; `fallback` where it has no key of its own. Error: kUsage.
[[nodiscard]] Result<RequestedFunction> parse_intercepted_function(std::string text, const InterceptKey& fallback);
// "put,get=read,drop=write@arg2": functions, separated by commas outside of brackets. Error: kUsage.
[[nodiscard]] Result<std::vector<RequestedFunction>> parse_intercepted(const std::string& text,
                                                                       const InterceptKey& fallback);

}  // namespace raceguard::policy
