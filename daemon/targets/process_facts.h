// SPDX-License-Identifier: Apache-2.0
// What is cheap to know about a process: enough to decide whether a policy selects it, without reading its mappings.
#pragma once

#include <sys/types.h>

#include <string>

#include "daemon/targets/target.h"

namespace raceguard::targets {

struct ProcessFacts {
  ProcessId id;
  pid_t parent_pid = 0;
  std::string comm;
  std::string exe;  // as the process sees it, without " (deleted)"
  bool exe_deleted = false;
  bool kernel_thread = false;  // has no exe and no user memory: never a target
  bool zombie = false;         // dead, waits for its parent: never a target
  uid_t uid = 0;               // real uid
  std::string cgroup;          // below the cgroup mount, begins with /
  std::string systemd_unit;    // innermost .service or .scope of `cgroup`; empty: none
};

}  // namespace raceguard::targets
