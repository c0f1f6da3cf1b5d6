// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>
#include <vector>

namespace raceguard::app {

Result<std::string> drop_privileges(const PrivilegeNeeds& needs) {
  capng_get_caps_process();
  std::vector<unsigned> wanted{CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
  if (needs.perf_uprobes) {
    wanted.push_back(CAP_SYS_ADMIN);
  }
  std::vector<unsigned> kept;
  for (const unsigned capability : wanted) {
    if (capng_have_capability(CAPNG_PERMITTED, capability) != 0) {
      kept.push_back(capability);
    }
  }
  capng_clear(CAPNG_SELECT_CAPS);
  std::string names;
  for (const unsigned capability : kept) {
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), capability);
    names += (names.empty() ? "" : " ") + std::string(capng_capability_to_name(capability));
  }
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
    return fail_errno(ErrorCode::kDaemonSetup, "cannot drop capabilities", errno, "Start with --keep-capabilities");
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail_errno(ErrorCode::kDaemonSetup, "cannot set no_new_privs", errno);
  }
  return names.empty() ? "none" : names;
}

}  // namespace raceguard::app
