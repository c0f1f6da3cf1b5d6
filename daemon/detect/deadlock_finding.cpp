// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/deadlock_finding.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/detect/site_text.h"

namespace raceguard::detect {
namespace {

constexpr std::size_t kThreadsInText = 4;

std::string thread_text(const DeadlockedThread& thread) {
  return thread.name.empty() ? std::to_string(thread.tid) : fmt::format("{} ({})", thread.tid, thread.name);
}

std::string place_text(const DeadlockedThread& thread) {
  const std::string caller = caller_text(thread.stack);
  return caller.empty() ? std::string{} : " in " + caller;
}

std::string threads_text(const std::vector<DeadlockedThread>& threads) {
  const std::size_t shown = std::min(threads.size(), kThreadsInText);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    text += i == 0 ? "" : i + 1 == threads.size() ? " and " : ", ";
    text += thread_text(threads[i]);
  }
  if (shown < threads.size()) {
    text += fmt::format(" and {} more", threads.size() - shown);
  }
  return (threads.size() == 1 ? "thread " : "threads ") + text;
}

// Who holds the lock that thread i of a ring waits for is the next one; so i holds what the one before it waits for.
const DeadlockedThread& before(const Deadlock& deadlock, std::size_t i) {
  return deadlock.threads[(i + deadlock.threads.size() - 1) % deadlock.threads.size()];
}

std::string ring_text(const Deadlock& deadlock) {
  const DeadlockedThread& first = deadlock.threads.front();
  if (deadlock.threads.size() == 1) {
    return fmt::format("{} of {} waits for itself: it holds {} and locks it again{}", threads_text(deadlock.threads),
                       deadlock.process, first.lock, place_text(first));
  }
  std::string text = fmt::format("{} of {} wait for each other{}: ", threads_text(deadlock.threads), deadlock.process,
                                 deadlock.threads.size() == 2 ? "" : " in a ring");
  for (std::size_t i = 0; i < deadlock.threads.size(); ++i) {
    const DeadlockedThread& thread = deadlock.threads[i];
    text += fmt::format("{}{} holds {} and waits for {}{}", i == 0 ? "" : "; ", thread.tid, before(deadlock, i).lock,
                        thread.lock, place_text(thread));
  }
  return text;
}

std::string abandoned_text(const Deadlock& deadlock) {
  const DeadlockedThread& first = deadlock.threads.front();
  return fmt::format("{} of {} {} for {}{}, which nobody is left to unlock: its holder, thread {}, {}",
                     threads_text(deadlock.threads), deadlock.process, deadlock.threads.size() == 1 ? "waits" : "wait",
                     first.lock, place_text(first), first.owner_tid,
                     deadlock.forked ? "is not a thread of this process, which was forked while the lock was held"
                                     : "ended without letting go of it");
}

std::string subject_of(const Deadlock& deadlock) {
  std::vector<std::string> locks;
  for (const DeadlockedThread& thread : deadlock.threads) {
    if (std::find(locks.begin(), locks.end(), thread.lock) == locks.end()) {
      locks.push_back(thread.lock);
    }
  }
  return fmt::format("{} of process {}", fmt::join(locks, ", "), deadlock.pid);
}

}  // namespace

Finding deadlock_finding(Deadlock deadlock, std::string guard, std::int64_t realtime_ns) {
  Finding finding;
  finding.kind = Finding::Kind::kDeadlock;
  finding.verdict = deadlock.proven ? Verdict::kProven : Verdict::kLikely;
  finding.guard = std::move(guard);
  finding.subject = subject_of(deadlock);
  finding.text = deadlock.abandoned ? abandoned_text(deadlock) : ring_text(deadlock);
  if (deadlock.behind > 0) {
    finding.text += fmt::format(
        "; {} behind {}", count_text(deadlock.behind, "more thread") + (deadlock.behind == 1 ? " waits" : " wait"),
        deadlock.abandoned || deadlock.threads.size() == 1 ? "it" : "them");
  }
  finding.first_seen_ns = finding.last_seen_ns = realtime_ns;
  finding.count = 1;
  finding.deadlock = std::make_shared<const Deadlock>(std::move(deadlock));
  return finding;
}

}  // namespace raceguard::detect
