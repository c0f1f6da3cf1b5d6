// SPDX-License-Identifier: Apache-2.0
// What a search cost, and what a reader of its findings must know.
#include <algorithm>

#include "daemon/process_cpu.h"
#include "daemon/race_watch.h"

namespace raceguard::app {

detect::RaceCost RaceWatch::cost() const {
  detect::RaceCost cost = cost_;
  cost.budget = options_.budget;
  cost.string_slowdown = options_.cost.string_slowdown;
  cost.hit_cost_ns = options_.cost.hit_ns;
  cost.longest_hold_ns = options_.hold_ns;
  cost.charged_ns =
      static_cast<std::int64_t>(static_cast<double>(cost.hits + cost.foreign_hits) * cost.hit_cost_ns +
                                static_cast<double>(cost.samples) * AddressSampler::sample_cost_ns(cost.hit_cost_ns)) +
      cost.hold_ns;
  cost.elapsed_ns = clock_.monotonic_ns() - started_ns_;
  cost.target_cpu_ns = std::max<std::int64_t>(process_cpu_ns(id_.pid) - cpu_at_start_ns_, 0);
  return cost;
}

std::vector<std::string> RaceWatch::notes() const {
  std::vector<std::string> notes = subjects_.notes();
  notes.insert(notes.end(), unfound_notes_.begin(), unfound_notes_.end());
  notes.insert(notes.end(), lock_notes_.begin(), lock_notes_.end());
  const std::vector<std::string> objects = objects_.notes();
  notes.insert(notes.end(), objects.begin(), objects.end());
  if (registers_.watcher.cpus() < 2) {
    notes.push_back("one CPU is online: two accesses never overlap, so no race can be proven");
  }
  if (!registers_.watcher.shortfall().empty()) {
    notes.push_back(registers_.watcher.shortfall());
  }
  if (!activity_note_.empty()) {
    notes.push_back("changing memory is not looked at: " + activity_note_);
  }
  if (!sampler_note_.empty()) {
    notes.push_back("running code is not sampled: " + sampler_note_);
  }
  if (!subjects_.has_types()) {
    notes.push_back(
        "no binary of the process has type information: only accesses that no atomic makes can be proven to race; "
        "install its debug symbols for the rest");
  }
  return notes;
}

}  // namespace raceguard::app
