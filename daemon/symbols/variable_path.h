// SPDX-License-Identifier: Apache-2.0
// "orders.c:config.counters[3].hits" taken apart.
#pragma once

#include <string>
#include <vector>

namespace raceguard::symbols {

struct VariablePath {
  std::string file;                // "orders.c"; empty: any
  std::string name;                // "config", "(anonymous namespace)::table<1.5>::rows"
  std::vector<std::string> steps;  // "counters", "[3]", "hits"; a step through a pointer begins with "->"
};

VariablePath parse_variable_path(const std::string& path);

// The steps alone: "balance.cents" or ".balance.cents".
std::vector<std::string> parse_member_path(const std::string& path);

}  // namespace raceguard::symbols
