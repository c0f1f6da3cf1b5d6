// SPDX-License-Identifier: Apache-2.0
// What the daemon itself costs, from /proc/self.
#pragma once

#include <cstdint>
#include <string>

namespace raceguard::exporting {

struct ProcessFigures {
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
  std::uint64_t open_fds = 0;
};

// What cannot be read stays 0.
[[nodiscard]] ProcessFigures read_process_figures(const std::string& proc_self = "/proc/self");

}  // namespace raceguard::exporting
