// SPDX-License-Identifier: Apache-2.0
// One address register of every online CPU, as perf events with a BPF program behind them.
//
// Measured on 2 CPUs, see watcher.h.
#pragma once

#include <cstdint>
#include <vector>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

// Online CPUs by /sys/devices/system/cpu/online.
[[nodiscard]] Result<std::vector<int>> online_cpus();

class WatchEvents {
 public:
  // `program` runs with the cookie `slot` at each hit. An error whose errno_value() is ENOSPC or EBUSY: the register is
  // taken on one of the CPUs at least.
  static Result<WatchEvents> open(int program, std::uint64_t slot, const std::vector<int>& cpus);

  // Moves the events to the address and leaves them off.
  [[nodiscard]] Result<void> move(std::uint64_t address, std::uint32_t length);
  // The same for an instruction: a hit is a thread that is about to execute it.
  [[nodiscard]] Result<void> move_to_code(std::uint64_t address);
  // On; each event takes `hits` more, then the kernel puts it off. What was left of an earlier allowance counts in: the
  // kernel only adds (PERF_EVENT_IOC_REFRESH) and forgets nothing when an event is put off.
  [[nodiscard]] Result<void> allow(std::uint32_t hits);
  [[nodiscard]] Result<void> stop();
  // Hits left, over all CPUs; hits seen by the kernel since open(), over all CPUs.
  [[nodiscard]] Result<std::uint64_t> remaining() const;
  [[nodiscard]] Result<std::uint64_t> hits() const;

 private:
  struct Event {
    UniqueFd event;
    UniqueFd link;              // after the event: goes first
    std::uint64_t allowed = 0;  // since open()
  };
  static Result<std::uint64_t> hits_of(const Event& event);
  [[nodiscard]] Result<void> move_all(std::uint64_t address, std::uint32_t kind, std::uint32_t length);
  std::vector<Event> events_;
  bool on_ = false;
};

}  // namespace raceguard::kernel
