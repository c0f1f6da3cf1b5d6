// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/atomic_function.h"

#include <algorithm>
#include <array>

#include "daemon/symbols/demangle.h"
#include "daemon/symbols/known_types.h"

namespace raceguard::symbols {
namespace {

// Classes whose member functions are atomic operations.
constexpr std::array<std::string_view, 13> kClasses = {"std::atomic",
                                                       "std::atomic_flag",
                                                       "std::atomic_ref",
                                                       "std::__atomic_base",
                                                       "std::__atomic_float",
                                                       "std::__atomic_ref",
                                                       "std::__atomic_impl",
                                                       "std::__cxx_atomic_base_impl",
                                                       "boost::atomics::atomic",
                                                       "boost::atomics::atomic_flag",
                                                       "QBasicAtomicInteger",
                                                       "QBasicAtomicPointer",
                                                       "QAtomicOps"};

// Free functions, by the beginning of their names.
constexpr std::array<std::string_view, 11> kFunctions = {"std::atomic_load",
                                                         "std::atomic_store",
                                                         "std::atomic_exchange",
                                                         "std::atomic_compare_exchange",
                                                         "std::atomic_fetch_",
                                                         "std::atomic_flag_",
                                                         "std::__cxx_atomic_",
                                                         "__gnu_cxx::__exchange_and_add",
                                                         "__gnu_cxx::__atomic_add",
                                                         "boost::atomics::detail::",
                                                         "__atomic_"};

constexpr std::array<std::string_view, 6> kPlainMembers = {"get_mut", "into_inner", "new",
                                                           "as_ptr",  "from_ptr",   "from_mut"};

std::string without_template_arguments(std::string_view name) {
  std::string plain;
  int depth = 0;
  for (const char c : name) {
    if (c == '<') {
      ++depth;
    } else if (c == '>') {
      depth = std::max(0, depth - 1);
    } else if (depth == 0) {
      plain += c;
    }
  }
  return plain;
}

bool is_member_operation(std::string_view plain) {
  const std::size_t scope = plain.rfind("::");
  if (scope == std::string_view::npos) {
    return false;
  }
  const std::string_view owner = plain.substr(0, scope);
  const std::string_view method = plain.substr(scope + 2);
  const std::size_t owner_scope = owner.rfind("::");
  const std::string_view class_name = owner_scope == std::string_view::npos ? owner : owner.substr(owner_scope + 2);
  const bool constructs = method == class_name || method.starts_with('~');
  return !constructs && std::ranges::find(kClasses, owner) != kClasses.end();
}

// "core::sync::atomic::AtomicU64::load", "core::sync::atomic::atomic_load"; names of the newer mangling ("_R") stay as
// they are, with each part's length in front.
bool is_rust_operation(std::string_view plain) {
  const bool readable = plain.starts_with("core::sync::atomic::");
  const bool mangled = plain.starts_with("_R") && plain.find("4core4sync6atomic") != std::string_view::npos;
  if (!readable && !mangled) {
    return false;
  }
  const auto ends_with_plain = [&](std::string_view member) {
    return plain.ends_with(member) && !plain.ends_with("_" + std::string(member));
  };
  return plain.find("fence") == std::string_view::npos && std::ranges::none_of(kPlainMembers, ends_with_plain);
}

}  // namespace

bool is_atomic_function(std::string_view demangled) {
  const std::string plain = without_versions(without_template_arguments(without_parameters(demangled)));
  if (is_rust_operation(plain) || is_member_operation(plain)) {
    return true;
  }
  const bool fences = plain.find("fence") != std::string::npos;
  const bool takes_a_lock = plain.starts_with("std::atomic_") && demangled.find("shared_ptr") != std::string_view::npos;
  return !fences && !takes_a_lock &&
         std::ranges::any_of(kFunctions, [&](std::string_view beginning) { return plain.starts_with(beginning); });
}

std::string atomic_frame(const CodeSite& site) {
  for (const InlinedCall& call : site.inlined) {
    if (is_atomic_function(call.function)) {
      return call.function;
    }
  }
  return is_atomic_function(site.function) ? site.function : std::string();
}

}  // namespace raceguard::symbols
