// SPDX-License-Identifier: Apache-2.0
// What a hit costs on this machine, now: measured on functions of the daemon's own, because it differs by 20 times
// between hosts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

struct HitCost {
  std::string instruction;                     // "push %rbp"; "return"; "watchpoint"; "tracepoint"
  std::optional<symbols::SiteKind> site_kind;  // of an entry probe; empty for the others
  double ns = 0;                               // added to the call by an empty BPF program; mean of the fastest batch
};

struct WatchpointCost {
  double hit_ns = 7'000;
  // How many times slower string instructions (rep movsb: memcpy, read, write) are on a CPU that has a watchpoint on
  // data armed, whatever its address; 1: not at all. Empty: not known, no register was free.
  std::optional<double> string_slowdown;
};

struct Calibration {
  std::vector<HitCost> costs;
  std::vector<Error> failures;            // what could not be measured, and why
  std::optional<double> string_slowdown;  // see WatchpointCost
  bool uprobe_multi = false;
  std::int64_t took_ns = 0;

  // The dearest measured instruction of the kind; empty if there is none.
  [[nodiscard]] std::optional<double> entry_ns(symbols::SiteKind kind) const;
  // By HitCost::instruction: "return" (added to its entry's cost), "watchpoint", "tracepoint" (one of a system call's
  // two).
  [[nodiscard]] std::optional<double> cost_ns(const std::string& instruction) const;
  // The defaults where it could not be measured.
  [[nodiscard]] WatchpointCost watchpoint() const;
};

struct CalibrationOptions {
  std::int64_t batch_ns = 400'000;  // per batch of hits; the fastest of 20 counts, as others use the machine too
  bool allow_uprobe_multi = true;
  // While a watchpoint is armed, some 20 ms, string instructions may be slow on its CPU (docs/adr/0006): not for those
  // who need no figures of it.
  bool watchpoint = true;
};

// Takes about 0.4 s with uprobe_multi, twice that with perf events: most of it is the kernel's time to detach.
Calibration calibrate(const CalibrationOptions& options = {});

}  // namespace raceguard::kernel
