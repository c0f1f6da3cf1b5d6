// SPDX-License-Identifier: Apache-2.0
// A cycle of lock orders with names and stacks, as a finding.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/lock_report.h"

namespace raceguard::detect {

struct OrderedLocks {
  pid_t pid = 0;
  std::string process;  // its name
  std::vector<NamedOrder> orders;
};

// Likely: it did not happen. With first_seen_ns = last_seen_ns = the report's time and count = 1.
[[nodiscard]] Finding lock_order_finding(const LockReport& report, const std::vector<NamedOrder>& cycle);

}  // namespace raceguard::detect
