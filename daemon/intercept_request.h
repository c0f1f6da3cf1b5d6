// SPDX-License-Identifier: Apache-2.0
// What a user asks for: which functions are to be kept apart, and by what.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "raceguard/abi/intercept.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::app {

// "none", "arg1" (its value), "arg1+0x18" and "arg1+24:4" (8 or so many bytes there), "global:config.table" (its
// value).
struct InterceptKey {
  rg_key_kind kind = RG_KEY_NONE;
  std::uint8_t argument = 0;  // 1..6
  std::uint64_t offset = 0;
  std::uint8_t bytes = 8;
  std::string global;
  std::string text = "none";
};

struct RequestedFunction {
  std::string name;  // as ElfFile::find_functions takes it
  bool is_reader = false;
  InterceptKey key;
};

struct InterceptRequest {
  pid_t pid = 0;
  std::vector<RequestedFunction> functions;
  std::int64_t wait_ns = 500 * kNsPerUs;
  std::int64_t lease_ns = 100 * kNsPerMs;
  bool dry_run = false;  // measures only: calls, their time, how many would have waited
  double budget = 0.10;  // share of the target's CPU time that it may take
};

// Error: kUsage.
[[nodiscard]] Result<InterceptKey> parse_intercept_key(const std::string& text);
// "put,get=read,drop=write@arg2": functions, separated by commas outside of brackets; `fallback` where none has a key
// of its own. Error: kUsage.
[[nodiscard]] Result<std::vector<RequestedFunction>> parse_intercepted(const std::string& text,
                                                                       const InterceptKey& fallback);

}  // namespace raceguard::app
