// SPDX-License-Identifier: Apache-2.0
// Runs raceguardctl as its users do.
#pragma once

#include <string>
#include <vector>

namespace raceguard::ctl {

struct Finished {
  int status = -1;  // exit status; 128 + signal
  std::string out;
  std::string err;
};

// build/bin/raceguardctl with these arguments, without a terminal; killed after 60 s.
[[nodiscard]] Finished raceguardctl(const std::vector<std::string>& arguments);

}  // namespace raceguard::ctl
