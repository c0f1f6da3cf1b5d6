// SPDX-License-Identifier: Apache-2.0
#include "daemon/deadlock_watch.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>

#include "daemon/kernel/pid_tgid.h"
#include "daemon/kernel/process_memory.h"
#include "daemon/sleeping_thread.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kPeriodNs = kNsPerSecond;
constexpr std::size_t kMaxLocks = 4096;             // read at one reading, some 4 ms; those that are waited for longest
constexpr std::size_t kThreadsWithStacks = 8;       // of a deadlock; each costs up to a millisecond, once
constexpr std::uint64_t kForkedWithoutExec = 0x40;  // PF_FORKNOEXEC, include/linux/sched.h

using kernel::pid_of;
using kernel::tid_of;

std::optional<detect::HeldLock> read_lock(pid_t pid, std::uint64_t word) {
  std::array<std::byte, detect::kLockBytes> memory{};
  const std::size_t bytes = kernel::read_memory(pid, word - detect::kLockBytesBefore, memory);
  if (bytes == memory.size()) {
    return detect::held_lock(word, memory, detect::kLockBytesBefore);
  }
  // A mutex at the edge of its page: nothing may be before or behind it.
  return detect::held_lock(word, std::span(memory).first(kernel::read_memory(pid, word, memory)), 0);
}

// A thread's start, from ticks since the machine's boot (with its time asleep) to the clock of the waits.
std::int64_t started_ns(std::uint64_t start_ticks) {
  timespec boot{};
  timespec monotonic{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  const std::int64_t asleep_ns = (boot.tv_sec - monotonic.tv_sec) * kNsPerSecond + (boot.tv_nsec - monotonic.tv_nsec);
  return static_cast<std::int64_t>(start_ticks) * (kNsPerSecond / ::sysconf(_SC_CLK_TCK)) - asleep_ns;
}

}  // namespace

DeadlockWatch::DeadlockWatch(Sources sources, std::string proc_root)
    : sources_(std::move(sources)), threads_(std::move(proc_root)), numbers_(threads_), early_(threads_) {}

Result<DeadlockWatch::Waits> DeadlockWatch::read_waits(const kernel::Attachment& attachment) {
  const auto readings = attachment.read_waits();
  if (!readings) {
    return fail(readings.error());
  }
  Waits waits;
  for (const kernel::WaitReading& reading : *readings) {
    if (reading.wait.start_ns != 0 && reading.wait.wait_class == RG_WAIT_LOCK) {
      waits.emplace(reading.pid_tgid,
                    Wait{.address = reading.wait.address, .start_ns = reading.wait.start_ns, .switches = 0});
    }
  }
  for (const auto& [pid_tgid, wait] : early_.look_again()) {
    waits.emplace(pid_tgid, Wait{.address = wait.address, .start_ns = 0, .switches = wait.switches});
  }
  return waits;
}

std::vector<detect::BlockedThread> DeadlockWatch::blocked_threads(const Waits& waits) {
  std::vector<std::pair<std::uint64_t, Wait>> lasting;
  std::set<pid_t> pids;
  for (const auto& [pid_tgid, wait] : waits) {
    const auto before = before_.find(pid_tgid);
    if (before != before_.end() && before->second.address == wait.address) {
      lasting.emplace_back(pid_tgid, wait);
      pids.insert(pid_of(pid_tgid));
    }
  }
  numbers_.keep(pids);
  numbers_.begin_reading();
  std::sort(lasting.begin(), lasting.end(),
            [](const auto& a, const auto& b) { return a.second.start_ns < b.second.start_ns; });

  std::map<detect::LockId, std::optional<detect::BlockedThread>> locks;  // the lock and its owner, for all its waiters
  std::vector<detect::BlockedThread> blocked;
  for (const auto& [pid_tgid, wait] : lasting) {
    const detect::LockId id{.pid = pid_of(pid_tgid), .address = wait.address};
    auto lock = locks.find(id);
    if (lock == locks.end()) {
      if (locks.size() >= kMaxLocks) {
        continue;
      }
      lock = locks.emplace(id, owned_lock(id)).first;
    }
    if (lock->second) {
      detect::BlockedThread& thread = blocked.emplace_back(*lock->second);
      thread.tid = tid_of(pid_tgid);
      thread.since_ns = static_cast<std::int64_t>(wait.start_ns);
      thread.switches = wait.switches;
    }
  }
  return blocked;
}

std::optional<detect::BlockedThread> DeadlockWatch::owned_lock(const detect::LockId& id) {
  const auto lock = read_lock(id.pid, id.address);
  const auto owner = lock ? numbers_.find(id.pid, lock->owner) : std::nullopt;
  if (!owner) {
    return std::nullopt;
  }
  detect::BlockedThread thread;
  thread.pid = id.pid;
  thread.word = id.address;
  thread.lock = *lock;
  thread.owner_tid = *owner;
  return thread;
}

// futex(u32 *uaddr, int op, u32 val, timeout, ...): a wait with a time limit ends by itself.
bool DeadlockWatch::waits_without_limit(const detect::BlockedThread& thread) const {
  const auto call = threads_.blocked_call(thread.pid, thread.tid);
  return call && *call && (*call)->number == SYS_futex && (*call)->arguments[0] == thread.word &&
         (*call)->arguments[3] == 0;
}

bool DeadlockWatch::has_its_owner(const detect::BlockedThread& thread) {
  const auto owner = numbers_.find(thread.pid, thread.lock.owner);
  if (!owner || *owner != thread.owner_tid || read_lock(thread.pid, thread.word) != thread.lock) {
    return false;
  }
  if (*owner == 0) {
    return true;
  }
  const auto stat = threads_.stat(thread.pid, *owner);
  const auto own_tid = threads_.own_tid(thread.pid, *owner);
  return stat && own_tid && *own_tid == thread.lock.owner &&
         (thread.since_ns == 0 || !detect::is_stale_owner(started_ns(stat->start_ticks), thread.since_ns));
}

Result<std::vector<detect::Knot>> DeadlockWatch::that_hold(const kernel::Attachment& attachment,
                                                           std::vector<detect::Knot> knots) {
  numbers_.begin_reading();
  for (detect::Knot& knot : knots) {
    const auto holds = [&](const detect::BlockedThread& thread) {
      return waits_without_limit(thread) && has_its_owner(thread);
    };
    if (knot.abandoned) {
      std::erase_if(knot.threads, [&](const auto& thread) { return !holds(thread); });
    } else if (!std::all_of(knot.threads.begin(), knot.threads.end(), holds)) {
      knot.threads.clear();
    }
  }
  const auto waits = read_waits(attachment);
  if (!waits) {
    return fail(waits.error());
  }
  for (detect::Knot& knot : knots) {
    const auto ended = [&](const detect::BlockedThread& thread) {
      const auto wait = waits->find(kernel::pid_tgid_of(thread.pid, thread.tid));
      return wait == waits->end() || wait->second != Wait{.address = thread.word,
                                                          .start_ns = static_cast<std::uint64_t>(thread.since_ns),
                                                          .switches = thread.switches};
    };
    if (knot.abandoned) {
      std::erase_if(knot.threads, ended);
    } else if (std::any_of(knot.threads.begin(), knot.threads.end(), ended)) {
      knot.threads.clear();
    }
  }
  std::erase_if(knots, [](const detect::Knot& knot) { return knot.threads.empty(); });
  return knots;
}

Result<std::vector<detect::Finding>> DeadlockWatch::look(const kernel::Attachment& attachment, std::int64_t now_ns,
                                                         std::int64_t realtime_ns) {
  if (now_ns < next_ns_) {
    return {};
  }
  next_ns_ = now_ns + kPeriodNs;
  early_.search();
  auto waits = read_waits(attachment);
  if (!waits) {
    return fail(waits.error());
  }
  std::vector<detect::Knot> knots = detect::knots_of(blocked_threads(*waits));
  before_ = std::move(*waits);
  if (!knots.empty()) {
    auto held = that_hold(attachment, std::move(knots));
    if (!held) {
      return fail(held.error());
    }
    knots = std::move(*held);
  }
  std::vector<std::pair<detect::Knot, detect::Finding>> standing;
  std::vector<detect::Finding> findings;
  for (detect::Knot& knot : judge_.confirm(std::move(knots))) {
    detect::Finding finding = finding_of(knot, {.now_ns = now_ns, .realtime_ns = realtime_ns});
    findings.push_back(finding);
    standing.emplace_back(std::move(knot), std::move(finding));
  }
  standing_ = std::move(standing);
  return findings;
}

// Names and stacks of a deadlock do not change: they are looked up when it is new, or has more threads.
detect::Finding DeadlockWatch::finding_of(const detect::Knot& knot, const Moment& moment) {
  for (const auto& [known, finding] : standing_) {
    if (detect::same_knot(known, knot) && known.threads.size() == knot.threads.size() && known.behind == knot.behind) {
      detect::Finding again = finding;
      again.first_seen_ns = again.last_seen_ns = moment.realtime_ns;
      return again;
    }
  }
  const pid_t pid = knot.threads.front().pid;
  const targets::Target* target = sources_.targets.find(pid);
  const auto leader = threads_.stat(pid, pid);
  const auto all = threads_.list(pid);
  detect::Deadlock deadlock{.pid = pid,
                            .process = fmt::format("{} ({})", leader ? leader->comm : "process", pid),
                            .abandoned = knot.abandoned,
                            .behind = knot.behind};
  deadlock.forked = !leader || (leader->flags & kForkedWithoutExec) != 0;
  deadlock.proven = !knot.abandoned || !deadlock.forked || (all && all->size() == knot.threads.size() + knot.behind);
  for (const detect::BlockedThread& thread : knot.threads) {
    deadlock.threads.push_back(thread_of(thread, deadlock, moment));
  }
  return detect::deadlock_finding(std::move(deadlock), target == nullptr ? std::string{} : target->guard,
                                  moment.realtime_ns);
}

detect::DeadlockedThread DeadlockWatch::thread_of(const detect::BlockedThread& blocked,
                                                  const detect::Deadlock& deadlock, const Moment& moment) {
  detect::DeadlockedThread thread{
      .tid = blocked.tid,
      .lock = lock_name(blocked),
      .lock_address = blocked.lock.address,
      .lock_kind = blocked.lock.kind,
      .owner_tid = deadlock.abandoned ? blocked.lock.owner : blocked.owner_tid,
      .since_ns = blocked.since_ns == 0 ? 0 : moment.realtime_ns - (moment.now_ns - blocked.since_ns)};
  if (const auto stat = threads_.stat(blocked.pid, blocked.tid)) {
    thread.name = stat->comm;
  }
  if (deadlock.threads.size() < kThreadsWithStacks) {
    thread.stack = sleeping_stack(threads_, sources_.stacks, blocked.pid, blocked.tid, moment.now_ns);
  }
  return thread;
}

std::string DeadlockWatch::lock_name(const detect::BlockedThread& blocked) const {
  return sources_.lock_name({.pid = blocked.pid, .address = blocked.lock.address},
                            {.pid = blocked.pid, .address = blocked.word});
}

}  // namespace raceguard::app
