// SPDX-License-Identifier: Apache-2.0
// Gives up the rights that only the start needed.
#pragma once

#include <string>

#include "raceguard/error.h"

namespace raceguard::app {

struct PrivilegeNeeds {
  bool perf_uprobes = false;  // without uprobe_multi every later attach is a perf_event_open that wants CAP_SYS_ADMIN
};

// Keeps CAP_BPF, CAP_PERFMON (probes), CAP_SYS_PTRACE (/proc/PID/root, maps, memory of other users' processes) and
// CAP_DAC_READ_SEARCH (their binaries), and those of them only that the process has. Sets no_new_privs.
// Returns the names of what is left, for the log.
Result<std::string> drop_privileges(const PrivilegeNeeds& needs);

}  // namespace raceguard::app
