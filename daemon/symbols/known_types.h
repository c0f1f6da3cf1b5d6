// SPDX-License-Identifier: Apache-2.0
// Types of C, C++ and Rust libraries that are atomic or are locks, by their qualified name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "daemon/symbols/variable.h"

namespace raceguard::symbols {

struct KnownType {
  VariableKind kind = VariableKind::kAtomic;  // or kLock
  // Of a lock whose state is at its start. RG_LOCK_NONE: cannot be read, or is that of a part (std::mutex has a
  // pthread_mutex_t inside).
  rg_lock_kind lock = RG_LOCK_NONE;
};

// "std::atomic<int>", "pthread_mutex_t" (also the typedef's name), "core::sync::atomic::AtomicU64". Versions of a
// library in the name ("std::__1::", "std::__cxx11::") are passed over.
std::optional<KnownType> known_type(std::string_view qualified_name);

// "std::__1::atomic" -> "std::atomic": the namespaces by which a library tells its versions apart.
std::string without_versions(std::string_view name);

}  // namespace raceguard::symbols
