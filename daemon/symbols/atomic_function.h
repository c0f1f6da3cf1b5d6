// SPDX-License-Identifier: Apache-2.0
// Is a code site part of an atomic operation of the language's library? Then its access is atomic, whatever the type of
// the variable says and although the instruction may be a plain mov (a relaxed or acquire load is nothing else on x86).
#pragma once

#include <string>
#include <string_view>

#include "daemon/symbols/symbol.h"

namespace raceguard::symbols {

// std::atomic<..>::, std::atomic_flag::, std::__atomic_base<..>:: and their like in libstdc++ and libc++, the free
// std::atomic_load and so on, __gnu_cxx::__exchange_and_add and __atomic_add, libatomic's __atomic_load_8,
// core::sync::atomic:: of Rust, boost::atomics, Qt's QBasicAtomic. Not: fences, which access nothing; constructors and
// destructors, get_mut, into_inner, which are plain; the free functions for std::shared_ptr, which take a lock.
bool is_atomic_function(std::string_view demangled);

// The innermost such function of the site, the function itself or one that was inlined there; empty: none. Inlined
// functions are known by DWARF only: without it an optimised binary has none.
std::string atomic_frame(const CodeSite& site);

}  // namespace raceguard::symbols
