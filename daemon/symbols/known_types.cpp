// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/known_types.h"

#include <algorithm>
#include <array>

namespace raceguard::symbols {
namespace {

struct Row {
  std::string_view name;  // without template arguments
  KnownType type;
};

constexpr KnownType kIsAtomic{VariableKind::kAtomic, RG_LOCK_NONE};
constexpr KnownType kIsLock{VariableKind::kLock, RG_LOCK_NONE};

constexpr std::array kRows = {
    Row{"pthread_mutex_t", {VariableKind::kLock, RG_LOCK_PTHREAD_MUTEX}},
    Row{"mtx_t", {VariableKind::kLock, RG_LOCK_PTHREAD_MUTEX}},  // glibc: a pthread_mutex_t
    Row{"pthread_rwlock_t", {VariableKind::kLock, RG_LOCK_PTHREAD_RWLOCK}},
    Row{"pthread_spinlock_t", {VariableKind::kLock, RG_LOCK_PTHREAD_SPIN}},
    Row{"pthread_cond_t", kIsLock},
    Row{"cnd_t", kIsLock},
    Row{"pthread_barrier_t", kIsLock},
    Row{"pthread_once_t", kIsLock},
    Row{"once_flag", kIsLock},
    Row{"sem_t", kIsLock},
    Row{"std::mutex", kIsLock},
    Row{"std::recursive_mutex", kIsLock},
    Row{"std::timed_mutex", kIsLock},
    Row{"std::recursive_timed_mutex", kIsLock},
    Row{"std::shared_mutex", kIsLock},
    Row{"std::shared_timed_mutex", kIsLock},
    Row{"std::condition_variable", kIsLock},
    Row{"std::condition_variable_any", kIsLock},
    Row{"std::once_flag", kIsLock},
    Row{"std::counting_semaphore", kIsLock},
    Row{"std::latch", kIsLock},
    Row{"std::barrier", kIsLock},
    Row{"std::atomic", kIsAtomic},
    Row{"std::__atomic_base", kIsAtomic},
    Row{"std::__atomic_float", kIsAtomic},
    Row{"std::atomic_flag", kIsAtomic},
    Row{"boost::atomics::atomic", kIsAtomic},
    Row{"boost::atomics::atomic_flag", kIsAtomic},
    Row{"QBasicAtomicInteger", kIsAtomic},
    Row{"QBasicAtomicPointer", kIsAtomic},
    Row{"core::sync::atomic::Atomic", kIsAtomic},
};

// Rust's std moves these from module to module with its versions: futex_mutex::Mutex, mutex::futex::Mutex, ...
std::optional<KnownType> rust_lock(std::string_view name) {
  if (!name.starts_with("std::sys") || name.find("futex") == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view last = name.substr(name.rfind("::") + 2);
  if (last == "Mutex") {
    return KnownType{VariableKind::kLock, RG_LOCK_FUTEX_WORD};
  }
  const bool other = last == "RwLock" || last == "Condvar" || last == "Once" || last == "Parker";
  return other ? std::optional(kIsLock) : std::nullopt;
}

}  // namespace

std::string without_versions(std::string_view name) {
  std::string plain(name);
  for (const std::string_view version : {"::__1", "::__cxx11", "::_V2", "::__ndk1", "::__2"}) {
    const std::size_t at = plain.find(std::string(version) + "::");
    if (at != std::string::npos) {
      plain.erase(at, version.size());
    }
  }
  return plain;
}

std::optional<KnownType> known_type(std::string_view qualified_name) {
  const std::string plain = without_versions(qualified_name.substr(0, qualified_name.find('<')));
  const auto row = std::ranges::find(kRows, plain, &Row::name);
  if (row != kRows.end()) {
    return row->type;
  }
  if (plain.starts_with("core::sync::atomic::Atomic")) {
    return kIsAtomic;  // AtomicU64, AtomicBool, AtomicPtr
  }
  return rust_lock(plain);
}

}  // namespace raceguard::symbols
