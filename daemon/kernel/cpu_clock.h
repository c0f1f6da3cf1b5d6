// SPDX-License-Identifier: Apache-2.0
// The clock of every online CPU, as perf events with a BPF program behind them.
#pragma once

#include <vector>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

class CpuClock {
 public:
  // Off. `program` runs `hz` times a second on each CPU while it is on.
  static Result<CpuClock> open(int program, unsigned hz, const std::vector<int>& cpus);

  [[nodiscard]] Result<void> start();
  [[nodiscard]] Result<void> stop();

 private:
  struct Event {
    UniqueFd event;
    UniqueFd link;  // after the event: goes first
  };
  [[nodiscard]] Result<void> tell_all(unsigned long request);
  std::vector<Event> events_;
};

}  // namespace raceguard::kernel
