// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/demangle.h"

#include <cxxabi.h>

#include <cstdlib>
#include <memory>

namespace raceguard::symbols {
namespace {

// Legacy Rust names are Itanium names whose last part is a hash: "core::fmt::write::h0123456789abcdef".
void strip_rust_hash(std::string& name) {
  constexpr std::size_t kHashLength = 3 + 16;
  if (name.size() <= kHashLength || name.compare(name.size() - kHashLength, 3, "::h") != 0) {
    return;
  }
  if (name.find_first_not_of("0123456789abcdef", name.size() - 16) == std::string::npos) {
    name.resize(name.size() - kHashLength);
  }
}

// The index of the bracket that `close` at `position` closes; npos if there is none.
std::size_t matching_open(std::string_view text, std::size_t position) {
  int depth = 0;
  for (std::size_t i = position + 1; i-- > 0;) {
    if (text[i] == ')') {
      ++depth;
    } else if (text[i] == '(' && --depth == 0) {
      return i;
    }
  }
  return std::string_view::npos;
}

bool is_angle(std::string_view text, std::size_t i) {
  // The brackets of operator<, operator>>, operator-> and operator<=> do not nest.
  std::size_t start = i;
  while (start > 0 &&
         (text[start - 1] == '<' || text[start - 1] == '>' || text[start - 1] == '=' || text[start - 1] == '-')) {
    --start;
  }
  return start < 8 || text.substr(start - 8, 8) != "operator";
}

// Behind the return type, which only templates carry: the last blank outside of any bracket.
std::size_t name_start(std::string_view text) {
  int depth = 0;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || (c == '<' && is_angle(text, i))) {
      ++depth;
    } else if (c == ')' || (c == '>' && is_angle(text, i))) {
      --depth;
    } else if (c == ' ' && depth == 0) {
      start = i + 1;
    } else if (depth == 0 && text.substr(i).starts_with("operator ")) {
      break;  // "operator bool", "operator new": the blank is part of the name
    }
  }
  return start;
}

}  // namespace

std::string demangle(const std::string& name) {
  if (!name.starts_with("_Z")) {
    return name;
  }
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  if (status != 0 || !text) {
    return name;
  }
  std::string result(text.get());
  strip_rust_hash(result);
  return result;
}

std::string_view without_parameters(std::string_view demangled) {
  std::string_view text = demangled.substr(0, demangled.find(" [clone "));
  const std::size_t close = text.rfind(')');
  if (close != std::string_view::npos) {
    const std::size_t open = matching_open(text, close);
    // "(anonymous namespace)::f" without parameters: a bracket that opens the text or a scope is part of the name.
    const bool is_scope = text.substr(close + 1).starts_with("::");
    if (open != std::string_view::npos && open > 0 && !is_scope) {
      text = text.substr(0, open);
    }
  }
  return text.substr(name_start(text));
}

}  // namespace raceguard::symbols
