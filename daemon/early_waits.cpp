// SPDX-License-Identifier: Apache-2.0
#include "daemon/early_waits.h"

#include <sys/syscall.h>

#include <algorithm>

#include "bpf/futex_op.h"
#include "daemon/kernel/pid_tgid.h"

namespace raceguard::app {
namespace {

// futex(u32 *uaddr, int op, u32 val, ...)
bool waits_for_lock(const targets::BlockedCall& call) {
  const auto operation = static_cast<rg_u32>(call.arguments[1]);
  return call.number == SYS_futex && rg_futex_action_of(operation) == RG_FUTEX_IS_WAIT &&
         rg_wait_class_of(operation, static_cast<rg_u32>(call.arguments[2])) == RG_WAIT_LOCK;
}

}  // namespace

void EarlyWaits::add_process(pid_t pid) {
  const auto tids = threads_.list(pid);
  if (!tids) {
    return;  // it has ended, or is not to be read: then nothing is known of it
  }
  for (const pid_t tid : *tids) {
    unseen_.emplace_back(pid, tid);
  }
}

void EarlyWaits::forget_process(pid_t pid) {
  std::erase_if(unseen_, [pid](const auto& thread) { return thread.first == pid; });
  std::erase_if(waits_, [pid](const auto& wait) { return kernel::pid_of(wait.first) == pid; });
}

void EarlyWaits::search() {
  for (std::size_t i = 0; i < kThreadsAtOnce && !unseen_.empty(); ++i) {
    const auto [pid, tid] = unseen_.front();
    unseen_.pop_front();
    if (const auto wait = wait_of(pid, tid)) {
      waits_[kernel::pid_tgid_of(pid, tid)] = *wait;
    }
  }
}

const EarlyWaits::Waits& EarlyWaits::look_again() {
  for (auto wait = waits_.begin(); wait != waits_.end();) {
    const auto now = wait_of(kernel::pid_of(wait->first), kernel::tid_of(wait->first));
    if (now && now->address == wait->second.address) {
      wait->second = *now;
      ++wait;
    } else {
      wait = waits_.erase(wait);
    }
  }
  return waits_;
}

// Switches before the call: a thread that wakes up in between is in another wait, and has more of them the next time.
std::optional<EarlyWait> EarlyWaits::wait_of(pid_t pid, pid_t tid) const {
  const auto switches = threads_.switches(pid, tid);
  const auto call = threads_.blocked_call(pid, tid);
  if (!switches || !call || !*call || !waits_for_lock(**call)) {
    return std::nullopt;
  }
  return EarlyWait{.address = (*call)->arguments[0], .switches = *switches};
}

}  // namespace raceguard::app
