// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace raceguard::app {
namespace {

// CAP_BPF and CAP_PERFMON are not here: without them the BPF object does not load, and its error says so.
struct Right {
  unsigned capability;
  const char* without;
};

constexpr Right kPtrace{CAP_SYS_PTRACE,
                        "no CAP_SYS_PTRACE: processes of other users, and those with rights that raceguardd lacks, are "
                        "not found"};
constexpr Right kReadSearch{CAP_DAC_READ_SEARCH,
                            "no CAP_DAC_READ_SEARCH: programs that only their owner may read are not probed"};
constexpr Right kAdmin{CAP_SYS_ADMIN,
                       "no CAP_SYS_ADMIN, and this kernel has no uprobe_multi: functions are not probed"};

std::vector<std::string> what_is_missing(const PrivilegeNeeds& needs) {
  std::vector<std::string> missing;
  for (const Right& right : {kPtrace, kReadSearch, kAdmin}) {
    const bool needed = right.capability != CAP_SYS_ADMIN || needs.perf_uprobes;
    if (needed && capng_have_capability(CAPNG_PERMITTED, right.capability) == 0) {
      missing.emplace_back(right.without);
    }
  }
  return missing;
}

}  // namespace

Result<Rights> drop_privileges(const PrivilegeNeeds& needs) {
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
  std::vector<std::string> missing = what_is_missing(needs);
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
  return Rights{.kept = names.empty() ? "none" : names, .missing = std::move(missing)};
}

}  // namespace raceguard::app
