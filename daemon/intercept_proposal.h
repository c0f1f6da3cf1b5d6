// SPDX-License-Identifier: Apache-2.0
// From a proven data race to the functions that are to be kept apart. All of them as writers, because a proof says
// nothing about what else they do.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/detect/race_finding.h"
#include "daemon/intercept_sections.h"

namespace raceguard::app {

// Collects one side's candidates: its function, then those that called it. Further out they take longer, so no more
// than four.
class RaceSide {
 public:
  // `offset`: of the access, from the function's entry. First, if it is known.
  void add_access(const std::string& function, const std::string& binary, std::uint64_t offset);
  void add(const std::string& function, const std::string& binary);
  [[nodiscard]] std::vector<RequestedFunction> take() { return std::move(candidates_); }

 private:
  std::vector<RequestedFunction> candidates_;
};

// Two, or none: no proven race with two sides.
[[nodiscard]] RaceSides sides_of(const detect::RaceFinding& race);

// "raceguardctl intercept -p 812 -f put,get --for 1h"; quoted for a shell.
[[nodiscard]] std::string intercept_command(pid_t pid, const std::vector<RequestedFunction>& functions,
                                            std::string_view length);

}  // namespace raceguard::app
