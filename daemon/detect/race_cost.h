// SPDX-License-Identifier: Apache-2.0
// What a search for races took from the process that was watched.
#pragma once

#include <cstdint>
#include <optional>

namespace raceguard::detect {

// What was learned from where its threads were.
struct SamplerFigures {
  std::uint64_t samples = 0;         // by the CPUs' clocks
  std::uint64_t turns = 0;           // instructions that were waited for
  std::uint64_t turns_hit = 0;       // of these, those that some thread came to
  std::uint64_t words_by_clock = 0;  // words of memory that they touch, first learned by a sample
  std::uint64_t words_by_turn = 0;   // by an instruction's turn
  std::uint64_t shared_words = 0;    // of all these, touched by two threads, with a write
};

struct RaceCost {
  std::uint64_t hits = 0;          // of watchpoints, by the target
  std::uint64_t foreign_hits = 0;  // by other processes at the same addresses
  std::uint64_t holds = 0;
  std::int64_t hold_ns = 0;          // all holds together
  std::int64_t longest_hold_ns = 0;  // the bound of one
  double hit_cost_ns = 0;            // of one hit, calibrated
  std::uint64_t samples = 0;         // of where its threads were
  std::int64_t charged_ns = 0;       // hits and samples at their cost, and holds
  std::int64_t target_cpu_ns = 0;    // CPU time of the target meanwhile
  std::int64_t elapsed_ns = 0;
  std::int64_t armed_ns = 0;              // in which watchpoints on data were armed
  std::optional<double> string_slowdown;  // of the CPUs meanwhile, calibrated; empty: not known
  double budget = 0;                      // allowed share of one CPU
};

}  // namespace raceguard::detect
