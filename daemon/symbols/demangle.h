// SPDX-License-Identifier: Apache-2.0
// C++ (Itanium) and legacy Rust names made readable. Rust's v0 names (_R...) stay as they are.
#pragma once

#include <string>
#include <string_view>

namespace raceguard::symbols {

// `name` itself where there is nothing to demangle.
std::string demangle(const std::string& name);

// "void ns::f<int>(int) const [clone .isra.0]" -> "ns::f<int>"
std::string_view without_parameters(std::string_view demangled);

}  // namespace raceguard::symbols
