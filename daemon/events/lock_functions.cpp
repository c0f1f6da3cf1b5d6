// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/lock_functions.h"

#include <algorithm>
#include <array>

namespace raceguard::events {
namespace {

using WaitKind = LockStackEvent::WaitKind;

enum class Match { kExact, kPrefix, kContains };

struct WaitFunction {
  std::string_view pattern;
  Match match;
  WaitKind kind;
};

// Names without leading underscores and symbol version. The first row that matches decides.
constexpr std::array kWaitFunctions = {
    // conditions: the thread has nothing to do until another thread tells it
    WaitFunction{"pthread_cond_", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"cnd_wait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"cnd_timedwait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"sem_wait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"new_sem_wait", Match::kPrefix, WaitKind::kCondition},  // glibc's own name for sem_wait
    WaitFunction{"sem_timedwait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"sem_clockwait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"pthread_join", Match::kExact, WaitKind::kCondition},
    WaitFunction{"pthread_timedjoin_np", Match::kExact, WaitKind::kCondition},
    WaitFunction{"pthread_clockjoin_", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"thrd_join", Match::kExact, WaitKind::kCondition},
    WaitFunction{"pthread_barrier_wait", Match::kExact, WaitKind::kCondition},
    WaitFunction{"epoll_", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"std::condition_variable", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"std::thread::join", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"std::future", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"std::__future_base", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"std::__atomic_wait", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"Condvar", Match::kContains, WaitKind::kCondition},       // Rust std, parking_lot
    WaitFunction{"thread::park", Match::kContains, WaitKind::kCondition},  // Rust std::thread::park
    WaitFunction{"Parker::park", Match::kContains, WaitKind::kCondition},
    WaitFunction{"gomp_barrier", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"gomp_team_barrier", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"inline_mysql_cond_", Match::kPrefix, WaitKind::kCondition},
    // locks: the thread wants to work and may not
    WaitFunction{"pthread_mutex_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"pthread_rwlock_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"pthread_spin_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"lll_", Match::kPrefix, WaitKind::kLock},  // glibc's __lll_lock_wait, __lll_lock_wait_private
    WaitFunction{"mtx_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::mutex::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::timed_mutex::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::recursive_mutex::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::shared_mutex::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::lock_guard", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::unique_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"std::scoped_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"gthread_mutex_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"gthread_active", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"srw_mutex", Match::kPrefix,
                 WaitKind::kLock},  // InnoDB's futex locks (storage/innobase/sync/srw_lock.cc)
    WaitFunction{"srw_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"ssux_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"pthread_mutex_wrapper", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"sux_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"rw_lock", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"inline_mysql_mutex_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"inline_mysql_rwlock_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"psi_mutex_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"psi_rwlock_", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"psi_cond_", Match::kPrefix, WaitKind::kCondition},
    WaitFunction{"parking_lot::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"parking_lot_core::", Match::kPrefix, WaitKind::kLock},
    WaitFunction{"sync::mutex", Match::kContains, WaitKind::kLock},  // Rust std::sys::sync::mutex::futex::Mutex
    WaitFunction{"sync::rwlock", Match::kContains, WaitKind::kLock},
    WaitFunction{"futex_mutex::", Match::kContains, WaitKind::kLock},  // Rust std before 1.78
    WaitFunction{"futex_rwlock::", Match::kContains, WaitKind::kLock},
    WaitFunction{"absl::Mutex::", Match::kContains, WaitKind::kLock},
};

// Libraries that implement locks: a frame of theirs is never the one who wanted the lock.
constexpr std::array kLockLibraries = {std::string_view{"libc.so"}, std::string_view{"libc-"},
                                       std::string_view{"libpthread"}, std::string_view{"libstdc++.so"},
                                       std::string_view{"ld-linux"}};

// Functions of glibc's locks and condition variables, as it exports them and as it calls them itself.
constexpr std::array kOwnLockFunctions = {std::string_view{"pthread_"}, std::string_view{"__pthread_"},
                                          std::string_view{"___pthread_"}, std::string_view{"sem_"},
                                          std::string_view{"__new_sem_"}};

// A wait deeper than this below the system call is another function's wait; glibc needs 3 frames, libstdc++ 2 more,
// and inlined wrappers as many again.
constexpr std::size_t kFramesThatTell = 10;

bool matches(std::string_view name, const WaitFunction& row) {
  switch (row.match) {
    case Match::kExact:
      return name == row.pattern;
    case Match::kPrefix:
      return name.starts_with(row.pattern);
    case Match::kContains:
      return name.find(row.pattern) != std::string_view::npos;
  }
  return false;
}

std::string_view bare(std::string_view function) {
  function = function.substr(0, function.find('@'));
  const auto trimmed = [](std::string_view name) {
    return name.substr(std::min(name.find_first_not_of('_'), name.size()));
  };
  function = trimmed(function);
  return function.starts_with("GI_") ? trimmed(function.substr(3)) : function;  // glibc's names for calls of its own
}

// Who makes the futex call by syscall(2) is a lock of its own making (InnoDB's, Rust's), also where a stripped binary
// has no name for it; unless nobody is known to have called it.
bool makes_the_call(const Stack& stack, std::size_t index) {
  return index > 0 && index + 1 < stack.reliable_frames && bare(stack.frames[index - 1].function) == "syscall";
}

}  // namespace

std::optional<WaitKind> wait_kind_of(std::string_view function) {
  const std::string_view name = bare(function);
  const auto* const row = std::find_if(kWaitFunctions.begin(), kWaitFunctions.end(),
                                       [&](const WaitFunction& candidate) { return matches(name, candidate); });
  return row == kWaitFunctions.end() ? std::nullopt : std::optional(row->kind);
}

std::optional<WaitKind> wait_kind_of(const Stack& stack) {
  const std::size_t depth = std::min(stack.reliable_frames, kFramesThatTell);
  for (std::size_t i = 0; i < depth; ++i) {
    if (const auto kind = wait_kind_of(std::string_view(stack.frames[i].function))) {
      return kind;
    }
  }
  return std::nullopt;
}

bool is_lock_machinery(const symbols::CodeSite& site) {
  if (wait_kind_of(std::string_view(site.function))) {
    return true;
  }
  const std::string_view library = symbols::file_name(site.binary);
  return std::any_of(kLockLibraries.begin(), kLockLibraries.end(),
                     [&](std::string_view prefix) { return library.starts_with(prefix); });
}

bool is_in_library_lock(const symbols::CodeSite& site) {
  const std::string_view library = symbols::file_name(site.binary);
  return (library.starts_with("libc.so") || library.starts_with("libpthread")) &&
         std::any_of(kOwnLockFunctions.begin(), kOwnLockFunctions.end(),
                     [&](std::string_view prefix) { return site.function.starts_with(prefix); });
}

std::size_t first_caller(const Stack& stack) {
  for (std::size_t i = 0; i < stack.frames.size(); ++i) {
    if (!is_lock_machinery(stack.frames[i]) && !makes_the_call(stack, i)) {
      return i;
    }
  }
  return stack.frames.size();
}

}  // namespace raceguard::events
