// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/target_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "daemon/targets/match.h"

namespace raceguard::targets {
namespace {

// A child's links lead through its own folder, not through its parent's, which may end first.
void rehome(Target& target, const std::string& parent_folder, const std::string& own_folder) {
  target.root = own_folder + "/root";
  for (MappedBinary& binary : target.binaries) {
    if (binary.host_path.starts_with(parent_folder + "/")) {
      binary.host_path = own_folder + binary.host_path.substr(parent_folder.size());
    }
  }
}

}  // namespace

void TargetChanges::append(TargetChanges&& later) {
  std::ranges::move(later.added, std::back_inserter(added));
  std::ranges::move(later.removed, std::back_inserter(removed));
  std::ranges::move(later.changed, std::back_inserter(changed));
}

TargetSet::TargetSet(std::vector<policy::Guard> guards, ProcessReader reader, pid_t own_pid)
    : guards_(std::move(guards)), reader_(std::move(reader)), own_pid_(own_pid) {}

Result<TargetChanges> TargetSet::set_guards(std::vector<policy::Guard> guards) {
  const auto pids = reader_.list_pids();
  if (!pids) {
    return fail(pids.error());
  }
  for (auto& [pid, entry] : entries_) {
    // What a child inherited holds on if the guard's match does; its place in the policy may have moved.
    const auto same = std::ranges::find_if(guards, [&](const policy::Guard& guard) {
      return guard.name == entry.target.guard && is_same_match(guard.target, guards_[entry.target.guard_index].target);
    });
    entry.inherited = entry.inherited && same != guards.end();
  }
  guards_ = std::move(guards);
  return take_in(*pids);
}

std::optional<std::size_t> TargetSet::first_match(const ProcessFacts& facts) const {
  const auto found = std::ranges::find_if(guards_, [&](const auto& guard) { return matches(guard.target, facts); });
  return found == guards_.end() ? std::nullopt
                                : std::optional(static_cast<std::size_t>(std::distance(guards_.begin(), found)));
}

// The guard that a process belongs to now. `known`: the entry of the same process, if any.
std::optional<std::size_t> TargetSet::judge(const ProcessFacts& facts, const Entry* known) const {
  if (facts.kernel_thread || facts.zombie || facts.id.pid == own_pid_) {
    return std::nullopt;
  }
  if (known != nullptr && known->inherited && known->target.exe == facts.exe) {
    const auto guard = std::ranges::find(guards_, known->target.guard, &policy::Guard::name);
    if (guard != guards_.end() && !is_denied(guard->target, facts.id.pid, facts.uid)) {
      return static_cast<std::size_t>(std::distance(guards_.begin(), guard));
    }
    return std::nullopt;
  }
  return first_match(facts);
}

Target TargetSet::make_target(const ProcessFacts& facts, std::size_t guard_index) const {
  return Target{.id = facts.id,
                .guard = guards_[guard_index].name,
                .guard_index = static_cast<std::uint32_t>(guard_index),
                .comm = facts.comm,
                .exe = facts.exe,
                .root = fmt::format("{}/{}/root", reader_.proc_root(), facts.id.pid),
                .cgroup = facts.cgroup,
                .systemd_unit = facts.systemd_unit,
                .uid = facts.uid,
                .binaries = {}};
}

void TargetSet::note_error(const Error& error) {
  if (error.code() == ErrorCode::kTargetGone) {
    ++work_.gone;
  } else if (unreadable_.size() < kMaxUnreadable) {
    unreadable_.push_back(error);
  }
}

void TargetSet::remove(pid_t pid, TargetChanges& changes) {
  const auto found = entries_.find(pid);
  if (found != entries_.end()) {
    changes.removed.push_back(found->second.target.id);
    entries_.erase(found);
  }
}

void TargetSet::store(const ProcessFacts& facts, std::size_t guard_index, bool after_exec, TargetChanges& changes) {
  ++work_.maps_read;
  auto binaries = reader_.read_binaries(facts.id);
  if (!binaries) {
    note_error(binaries.error());
    remove(facts.id.pid, changes);
    return;
  }
  Target target = make_target(facts, guard_index);
  target.binaries = std::move(*binaries);
  const auto found = entries_.find(facts.id.pid);
  if (found == entries_.end()) {
    changes.added.push_back(target);
    entries_.emplace(facts.id.pid, Entry{.target = std::move(target)});
    return;
  }
  Entry& entry = found->second;
  if (after_exec) {
    entry.inherited = false;
    entry.settle_reads_left = kMaxSettleReads;
    entry.equal_reads = 0;
  }
  if (entry.target != target) {
    entry.target = target;
    changes.changed.push_back(std::move(target));
  }
}

void TargetSet::refresh(pid_t pid, bool after_exec, TargetChanges& changes) {
  ++work_.facts_read;
  const auto facts = reader_.read_facts(pid);
  if (!facts) {
    note_error(facts.error());
    remove(pid, changes);
    return;
  }
  const auto found = entries_.find(pid);
  const bool same_process = found != entries_.end() && found->second.target.id == facts->id;
  if (found != entries_.end() && !same_process) {
    remove(pid, changes);  // the pid was reused
  }
  if (same_process && (after_exec || found->second.target.exe != facts->exe)) {
    after_exec = true;  // an exec whose event was lost shows by the exe
    found->second.inherited = false;
  }
  if (const auto guard = judge(*facts, same_process ? &found->second : nullptr)) {
    store(*facts, *guard, after_exec, changes);
  } else if (same_process) {
    remove(pid, changes);
  }
}

Result<TargetChanges> TargetSet::scan() {
  const auto pids = reader_.list_pids();
  if (!pids) {
    return fail(pids.error());
  }
  return take_in(*pids);
}

TargetChanges TargetSet::take_in(const std::vector<pid_t>& pids) {
  TargetChanges changes;
  unreadable_.clear();
  const std::set<pid_t> listed(pids.begin(), pids.end());
  std::vector<pid_t> ended;
  for (const auto& [pid, entry] : entries_) {
    if (!listed.contains(pid)) {
      ended.push_back(pid);
    }
  }
  for (const pid_t pid : ended) {
    remove(pid, changes);
  }
  for (const pid_t pid : listed) {
    refresh(pid, false, changes);
  }
  return changes;
}

TargetChanges TargetSet::on_fork(pid_t parent_pid, pid_t pid) {
  ++work_.events;
  TargetChanges changes;
  const auto parent = entries_.find(parent_pid);
  if (parent == entries_.end() || parent_pid == pid || pid == own_pid_) {
    ++work_.filtered;
    return changes;
  }
  const policy::TargetMatch& match = guards_[parent->second.target.guard_index].target;
  const auto identity = reader_.read_identity(pid);
  if (!identity) {
    note_error(identity.error());
    remove(pid, changes);
    return changes;
  }
  if (identity->zombie || is_denied(match, pid, parent->second.target.uid)) {
    return changes;
  }
  const auto known = entries_.find(pid);
  if (known != entries_.end() && known->second.target.id == identity->id) {
    return changes;  // a scan was faster
  }
  remove(pid, changes);
  Entry child = parent->second;
  child.target.id = identity->id;
  child.inherited = true;
  rehome(child.target, fmt::format("{}/{}", reader_.proc_root(), parent_pid),
         fmt::format("{}/{}", reader_.proc_root(), pid));
  changes.added.push_back(child.target);
  entries_.emplace(pid, std::move(child));
  return changes;
}

TargetChanges TargetSet::on_exec(pid_t pid, uid_t uid, std::string_view comm) {
  ++work_.events;
  TargetChanges changes;
  const bool possible = pid != own_pid_ && std::ranges::any_of(guards_, [&](const policy::Guard& guard) {
                          return could_match(guard.target, pid, uid, comm);
                        });
  if (!possible) {
    ++work_.filtered;
    remove(pid, changes);
    return changes;
  }
  refresh(pid, true, changes);
  return changes;
}

TargetChanges TargetSet::on_exit(pid_t pid) {
  ++work_.events;
  TargetChanges changes;
  work_.filtered += entries_.contains(pid) ? 0 : 1;
  remove(pid, changes);
  return changes;
}

TargetChanges TargetSet::settle() {
  TargetChanges changes;
  std::vector<pid_t> gone;
  for (auto& [pid, entry] : entries_) {
    if (entry.settle_reads_left == 0) {
      continue;
    }
    --entry.settle_reads_left;
    ++work_.maps_read;
    auto binaries = reader_.read_binaries(entry.target.id);
    if (!binaries) {
      note_error(binaries.error());
      gone.push_back(pid);
    } else if (*binaries == entry.target.binaries) {
      entry.settle_reads_left = ++entry.equal_reads >= kStableReads ? 0 : entry.settle_reads_left;
    } else {
      entry.equal_reads = 0;
      entry.target.binaries = std::move(*binaries);
      changes.changed.push_back(entry.target);
    }
  }
  for (const pid_t pid : gone) {
    remove(pid, changes);
  }
  return changes;
}

bool TargetSet::has_unsettled() const {
  return std::ranges::any_of(entries_, [](const auto& entry) { return entry.second.settle_reads_left > 0; });
}

std::vector<Target> TargetSet::list() const {
  std::vector<Target> result;
  result.reserve(entries_.size());
  for (const auto& [pid, entry] : entries_) {
    result.push_back(entry.target);
  }
  return result;
}

const Target* TargetSet::find(pid_t pid) const {
  const auto found = entries_.find(pid);
  return found == entries_.end() ? nullptr : &found->second.target;
}

}  // namespace raceguard::targets
