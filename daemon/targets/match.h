// SPDX-License-Identifier: Apache-2.0
// Does a policy select a process? Pure.
#pragma once

#include <string_view>

#include "daemon/policy/policy.h"
#include "daemon/targets/process_facts.h"

namespace raceguard::targets {

// Every non-empty list has a member that matches, and no deny list has. Globs are fnmatch(3) without flags: `*` matches
// `/` too. Kernel threads and zombies never match.
[[nodiscard]] bool matches(const policy::TargetMatch& match, const ProcessFacts& facts);

// What an event of the kernel tells already: false means that reading the process can be spared.
[[nodiscard]] bool could_match(const policy::TargetMatch& match, pid_t pid, uid_t uid, std::string_view comm);

// Only the lists that exclude: deny_pids, deny_uids, allow_uids. They hold for the children of targets, too.
[[nodiscard]] bool is_denied(const policy::TargetMatch& match, pid_t pid, uid_t uid);

// True if both select the same processes because they are the same lists.
[[nodiscard]] bool is_same_match(const policy::TargetMatch& left, const policy::TargetMatch& right);

}  // namespace raceguard::targets
