// SPDX-License-Identifier: Apache-2.0
// Guarded functions: the kernel's counters become figures since the probe was set, sums of the last tick and of the
// last ten seconds. A slot of the BPF arrays that is given to another function starts from nothing.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/recent.h"
#include "raceguard/abi/bpf.h"

namespace raceguard::detect {

struct FunctionDefinition {
  std::uint32_t function_id = 0;  // slot in the BPF arrays
  std::string guard;
  std::string name;    // of the FunctionGuard
  std::string symbol;  // demangled
  std::int64_t slow_ns = 0;
  std::uint8_t return_shift = 0;  // the return of one call in 2^this is seen
  friend bool operator==(const FunctionDefinition&, const FunctionDefinition&) = default;
};

// What the kernel counted for one slot, over all CPUs.
struct FunctionInput {
  std::uint32_t function_id = 0;
  rg_function_counters counters{};
};

struct FunctionSums {
  std::uint64_t calls = 0;    // entries
  std::uint64_t returns = 0;  // calls that came back: only these can be slow or fail
  std::uint64_t errors = 0;
  std::uint64_t slow = 0;
  std::int64_t total_ns = 0;
  std::int64_t longest_ns = 0;  // upper bound of the highest bucket that was hit
  FunctionSums& operator+=(const FunctionSums& other);
};

struct FunctionDelta {
  const FunctionDefinition* definition = nullptr;  // valid until the table changes
  FunctionSums sums;
};

class FunctionTable {
 public:
  // A probe was set, or its thresholds changed (same guard, name and symbol: its figures go on).
  void define(const FunctionDefinition& definition);
  // A probe was removed.
  void forget(std::uint32_t function_id);

  // One tick's readings. Slots that were not defined are ignored: their probe is being removed.
  void update(std::int64_t now_ns, std::span<const FunctionInput> readings);

  [[nodiscard]] std::vector<FunctionFigures> figures() const;
  // What the last update added, per defined function; functions without calls are left out.
  [[nodiscard]] std::vector<FunctionDelta> last_tick() const;
  // What the last ten seconds added, per defined function.
  [[nodiscard]] std::vector<FunctionDelta> recent(std::int64_t now_ns) const;

 private:
  struct Entry {
    FunctionDefinition definition;
    FunctionFigures figures;
    rg_function_counters last{};  // as read
    std::uint64_t awaited = 0;    // calls whose return was to be seen
    FunctionSums tick;
    Recent<FunctionSums> recent;
  };
  std::map<std::uint32_t, Entry> entries_;
};

}  // namespace raceguard::detect
