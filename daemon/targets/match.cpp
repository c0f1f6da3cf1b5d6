// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/match.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>
#include <tuple>

namespace raceguard::targets {
namespace {

bool any_glob(const std::vector<std::string>& globs, const std::string& text) {
  return globs.empty() || std::ranges::any_of(globs, [&](const std::string& glob) {
           return ::fnmatch(glob.c_str(), text.c_str(), 0) == 0;
         });
}

template <typename T>
bool contains(const std::vector<T>& values, T value) {
  return std::ranges::find(values, value) != values.end();
}

auto all_lists(const policy::TargetMatch& match) {
  return std::tie(match.exe_globs, match.comm_globs, match.pids, match.systemd_units, match.cgroup_globs,
                  match.deny_pids, match.allow_uids, match.deny_uids);
}

}  // namespace

bool is_denied(const policy::TargetMatch& match, pid_t pid, uid_t uid) {
  return contains(match.deny_pids, pid) || contains(match.deny_uids, uid) ||
         (!match.allow_uids.empty() && !contains(match.allow_uids, uid));
}

bool could_match(const policy::TargetMatch& match, pid_t pid, uid_t uid, std::string_view comm) {
  return !is_denied(match, pid, uid) && (match.pids.empty() || contains(match.pids, pid)) &&
         any_glob(match.comm_globs, std::string(comm));
}

bool matches(const policy::TargetMatch& match, const ProcessFacts& facts) {
  return !facts.kernel_thread && !facts.zombie && could_match(match, facts.id.pid, facts.uid, facts.comm) &&
         any_glob(match.exe_globs, facts.exe) && any_glob(match.systemd_units, facts.systemd_unit) &&
         any_glob(match.cgroup_globs, facts.cgroup);
}

bool is_same_match(const policy::TargetMatch& left, const policy::TargetMatch& right) {
  return all_lists(left) == all_lists(right);
}

}  // namespace raceguard::targets
