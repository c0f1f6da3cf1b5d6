// SPDX-License-Identifier: Apache-2.0
// Gives up the rights that only the start needed.
#pragma once

#include <string>
#include <vector>

#include "raceguard/error.h"

namespace raceguard::app {

struct PrivilegeNeeds {
  bool perf_uprobes = false;  // without uprobe_multi every later attach is a perf_event_open that wants CAP_SYS_ADMIN
};

// Keeps CAP_BPF, CAP_PERFMON (probes), CAP_SYS_PTRACE (/proc/PID/root, maps, memory of other users' processes) and
// CAP_DAC_READ_SEARCH (their binaries), and those of them only that the process has. Sets no_new_privs.
// For the log: the names of what is left, and for each right that was not there what does not work without it.
struct Rights {
  std::string kept;
  std::vector<std::string> missing;
};
Result<Rights> drop_privileges(const PrivilegeNeeds& needs);

}  // namespace raceguard::app
