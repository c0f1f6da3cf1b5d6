// SPDX-License-Identifier: Apache-2.0
// CPU time that a policy's targets use: what costs of probes are held against.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include "daemon/targets/target.h"

namespace raceguard::app {

struct Spent {
  std::int64_t cost_ns = 0;
  std::int64_t cpu_ns = 0;

  Spent& operator+=(const Spent& other);
  // 0 where no CPU time was used.
  [[nodiscard]] double share() const;
};

class TargetCpu {
 public:
  using Read = std::function<std::int64_t(pid_t)>;  // of a process so far, in nanoseconds; 0: it is gone

  // Of a process that is new, what it used before does not count.
  void follow(const std::set<targets::ProcessId>& processes, const Read& read);
  // Since it was asked last. A system call for each process.
  [[nodiscard]] std::int64_t take_used_ns(const Read& read);
  // Of all that are there, since they began.
  [[nodiscard]] std::int64_t total_ns(const Read& read) const;

 private:
  std::map<targets::ProcessId, std::int64_t> last_ns_;
};

}  // namespace raceguard::app
