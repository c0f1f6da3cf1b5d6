// SPDX-License-Identifier: Apache-2.0
// What an interception did: functions of one process that are kept from overlapping.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "raceguard/abi/intercept.h"

namespace raceguard::detect {

struct InterceptedCalls {
  std::string name;    // demangled
  std::string binary;  // as the process sees it
  bool is_reader = false;
  std::string key;       // as it was asked for
  std::string entry;     // "+0x4 push rbx"
  std::string exits;     // "return probe", "3 exits"; inside of the function: "+0x24 jne 0x1130"
  bool is_whole = true;  // from its entry to its return
  rg_section_figures figures{};
  std::int64_t probes_ns = 0;  // what its hits cost, as calibrated
};

struct Interception {
  pid_t pid = 0;
  std::string exe;
  std::int64_t elapsed_ns = 0;
  std::int64_t target_cpu_ns = 0;  // that the process used meanwhile, its waits and probes included
  bool dry_run = false;            // nobody waited
  double budget = 0;               // share of target_cpu_ns
  std::string ended;               // why it ended; empty: it goes on
  bool withdrawn = false;          // for its cost
  std::vector<InterceptedCalls> functions;
  std::vector<std::string> notes;
};

// Of all functions.
struct InterceptionSums {
  std::uint64_t calls = 0;
  std::uint64_t taken = 0;
  std::uint64_t waits = 0;
  std::uint64_t opened = 0;  // calls that went on without the slot, for whatever reason
  std::int64_t wait_ns = 0;
  std::int64_t cost_ns = 0;  // waits, ticks that were let pass, and probes
};
[[nodiscard]] inline InterceptionSums sums_of(const Interception& interception) {
  InterceptionSums sums;
  for (const InterceptedCalls& function : interception.functions) {
    const rg_section_figures& figures = function.figures;
    sums.calls += figures.calls;
    sums.taken += figures.taken;
    sums.waits += figures.waits;
    sums.wait_ns += static_cast<std::int64_t>(figures.wait_ns);
    sums.cost_ns += function.probes_ns + static_cast<std::int64_t>(figures.wait_ns + figures.tick_ns);
    for (const rg_u64 opened : figures.open) {
      sums.opened += opened;
    }
  }
  return sums;
}

// Of the target's CPU time; 0 where that is not known.
[[nodiscard]] inline double cost_share(std::int64_t cost_ns, std::int64_t cpu_ns) {
  return cpu_ns > 0 ? static_cast<double>(cost_ns) / static_cast<double>(cpu_ns) : 0;
}

}  // namespace raceguard::detect
