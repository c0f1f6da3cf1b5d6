// SPDX-License-Identifier: Apache-2.0
// Addresses worth a watch from where a process's threads are: each sample of a thread's registers and stack tells what
// its next instructions touch, and its callers' when they go on; and instructions whose operands cannot be computed so
// take turns at being waited for (a hit of an execution breakpoint is a sample too).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/detect/race_cost.h"
#include "daemon/events/code_sample.h"
#include "daemon/events/unwinder.h"
#include "daemon/kernel/memory_map.h"
#include "daemon/plan/code_turns.h"
#include "daemon/plan/sampled_words.h"
#include "daemon/plan/watch_rotation.h"
#include "daemon/race_subjects.h"
#include "daemon/symbols/resolver.h"
#include "daemon/symbols/touched_address.h"
#include "daemon/targets/target.h"

namespace raceguard::app {

class AddressSampler {
 public:
  // All must outlive it. `binaries`: the mappings of the process as they are at each call.
  AddressSampler(pid_t pid, const RaceSubjects& subjects, symbols::Resolver& resolver,
                 const std::vector<targets::MappedBinary>& binaries)
      : pid_(pid), subjects_(subjects), resolver_(resolver), binaries_(binaries) {}

  // What a sample takes from the process, by the cost of a watchpoint's hit: the clock's interrupt and its next setting
  // leave a virtual machine, as the hit does, and more often. Measured 33 to 41 us where a hit takes 9.
  [[nodiscard]] static double sample_cost_ns(double hit_cost_ns) { return 4 * hit_cost_ns; }
  // How often a CPU's clock may sample, so that it takes a tenth of the budget at most.
  [[nodiscard]] static unsigned rate_hz(double budget, double sample_cost_ns, unsigned cpus);
  // A process that is seldom on a CPU may be asked for up to four times as often: its samples are what it pays for.
  // `samples_a_second` were had at `hz`, and `least_hz` is what it can pay for while it has all the CPUs.
  [[nodiscard]] static unsigned adapted_hz(unsigned hz, unsigned least_hz, double samples_a_second, unsigned cpus);

  // The process's mappings may have changed.
  void follow();
  // A RG_RECORD_SAMPLE of the process.
  void add(std::span<const std::byte> record);
  // What to watch, as it becomes due.
  [[nodiscard]] std::vector<plan::WatchCandidate> take(std::int64_t now_ns);
  // The address of an instruction to wait for; nothing: none is worth it now.
  [[nodiscard]] std::optional<std::uint64_t> next_instruction(std::int64_t now_ns);
  // It was waited for.
  void visited(bool hit, std::int64_t took_ns, std::int64_t now_ns);

  [[nodiscard]] const detect::SamplerFigures& figures() const { return figures_; }

 private:
  void add_frame(const events::CodeSample& sample, const events::Frame& frame, const events::Registers& registers,
                 bool innermost);
  void see_function(const symbols::ElfFile& file, const events::Frame& frame);
  [[nodiscard]] std::optional<std::uint64_t> read_word(const events::CodeSample& sample, std::uint64_t address);
  [[nodiscard]] bool is_shared_memory(std::uint64_t address) const;

  pid_t pid_;
  const RaceSubjects& subjects_;
  symbols::Resolver& resolver_;
  const std::vector<targets::MappedBinary>& binaries_;
  std::vector<kernel::MemoryRange> ranges_;  // by address
  events::Unwinder unwinder_;
  plan::SampledWords words_;
  plan::CodeTurns turns_;
  detect::SamplerFigures figures_;
  std::int64_t next_turn_ns_ = 0;
  unsigned missed_turns_ = 0;  // in a row
  unsigned reads_left_ = 0;    // of the process's memory, for the sample under way
};

}  // namespace raceguard::app
