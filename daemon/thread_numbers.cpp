// SPDX-License-Identifier: Apache-2.0
#include "daemon/thread_numbers.h"

namespace raceguard::app {

void ThreadNumbers::keep(const std::set<pid_t>& pids) {
  std::erase_if(processes_, [&](const auto& entry) { return !pids.contains(entry.first); });
}

ThreadNumbers::Process* ThreadNumbers::process(pid_t pid) {
  if (const auto known = processes_.find(pid); known != processes_.end()) {
    return &known->second;
  }
  const auto shares = threads_.shares_numbers(pid);
  return shares ? &processes_.emplace(pid, Process{.shares_numbers = *shares, .kernel_tids = {}}).first->second
                : nullptr;
}

// A process's first thread stays as a zombie when it ends before the others.
std::optional<bool> ThreadNumbers::lives(pid_t pid, pid_t tid) {
  const auto [known, is_new] = lives_.try_emplace({pid, tid});
  if (is_new) {
    const auto stat = threads_.stat(pid, tid);
    if (stat) {
      known->second = stat->state != 'Z' && stat->state != 'X';
    } else if (stat.error().code() == ErrorCode::kTargetGone) {
      known->second = false;
    }
  }
  return known->second;
}

bool ThreadNumbers::list(pid_t pid, Process& process) {
  if (!listed_.insert(pid).second) {
    return true;
  }
  const auto tids = threads_.list(pid);
  if (!tids) {
    return false;
  }
  process.kernel_tids.clear();
  for (const pid_t tid : *tids) {
    const auto own = threads_.own_tid(pid, tid);
    if (own) {
      process.kernel_tids.emplace(*own, tid);
    } else if (own.error().code() != ErrorCode::kTargetGone) {
      return false;
    }
  }
  return true;
}

std::optional<pid_t> ThreadNumbers::find(pid_t pid, pid_t own_tid) {
  Process* known = process(pid);
  if (known == nullptr) {
    return std::nullopt;
  }
  pid_t tid = own_tid;
  if (!known->shares_numbers) {
    if (!known->kernel_tids.contains(own_tid) && !list(pid, *known)) {
      return std::nullopt;
    }
    const auto found = known->kernel_tids.find(own_tid);
    if (found == known->kernel_tids.end()) {
      return 0;
    }
    tid = found->second;
  }
  const auto alive = lives(pid, tid);
  if (alive == false) {
    known->kernel_tids.erase(own_tid);
  }
  return alive ? std::optional(*alive ? tid : 0) : std::nullopt;
}

}  // namespace raceguard::app
