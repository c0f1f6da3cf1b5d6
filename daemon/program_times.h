// SPDX-License-Identifier: Apache-2.0
// How long raceguard's own programs at returns took of late.
#pragma once

#include <cstdint>

#include "raceguard/abi/bpf.h"

namespace raceguard::app {

class ProgramTimes {
 public:
  void age(std::int64_t elapsed_ns);
  void add(const rg_function_counters& now, const rg_function_counters& last);

  // Mean of the last seconds, later ones weigh more. Runs of RG_TIMED_LONG_NS or more count only if they are many: one
  // whose thread lost its CPU, among the five that a function with 160 calls a second has timed, would make the probe
  // forty times as dear. 0: none was timed.
  [[nodiscard]] double mean_ns() const;

 private:
  struct Runs {
    double count = 0;
    double ns = 0;
  };
  Runs short_;
  Runs long_;
};

}  // namespace raceguard::app
