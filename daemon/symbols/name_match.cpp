// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/name_match.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "daemon/symbols/demangle.h"

namespace raceguard::symbols {
namespace {

// Words that a demangler writes though the mangled name abbreviates them.
constexpr std::array<std::string_view, 47> kAbbreviated = {
    "std",      "string",         "basic_string", "allocator",  "char_traits", "basic_istream", "basic_ostream",
    "iostream", "basic_iostream", "istream",      "ostream",    "operator",    "new",           "delete",
    "co_await", "sizeof",         "alignof",      "void",       "bool",        "char",          "signed",
    "unsigned", "short",          "int",          "long",       "float",       "double",        "__int128",
    "char8_t",  "char16_t",       "char32_t",     "wchar_t",    "auto",        "decltype",      "nullptr_t",
    "const",    "volatile",       "true",         "false",      "anonymous",   "namespace",     "lambda",
    "unnamed",  "clone",          "abi",          "__float128", "noexcept",
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The longest run of letters in the glob that an Itanium name must contain verbatim. It saves demangling: 2 us a name.
std::string literal_needle(std::string_view glob) {
  if (glob.find('[') != std::string_view::npos || glob.find('\\') != std::string_view::npos) {
    return {};
  }
  std::string_view best;
  for (std::size_t i = 0; i < glob.size();) {
    std::size_t end = i;
    while (end < glob.size() && is_word(glob[end])) {
      ++end;
    }
    const std::string_view run = glob.substr(i, end - i);
    const bool literal = !run.empty() && std::isdigit(static_cast<unsigned char>(run[0])) == 0 &&
                         std::ranges::none_of(kAbbreviated, [run](std::string_view word) {
                           return word.find(run) != std::string_view::npos;
                         });
    if (literal && run.size() > best.size()) {
      best = run;
    }
    i = std::max(end, i + 1);
  }
  return std::string(best);
}

// "f.isra.0" -> "f": a copy that the compiler made of the whole function.
std::string_view without_copy_suffix(std::string_view name) {
  for (const std::string_view suffix : {".isra.", ".constprop.", ".lto_priv.", ".llvm."}) {
    name = name.substr(0, name.find(suffix));
  }
  return name;
}

bool is_fragment(std::string_view name) {
  return name.find(".cold") != std::string_view::npos || name.find(".part.") != std::string_view::npos;
}

}  // namespace

NameMatch::NameMatch(std::string glob) : glob_(std::move(glob)), needle_(literal_needle(glob_)) {}

bool NameMatch::glob_matches(std::string_view text) const {
  if (text == glob_) {
    return true;  // "operator[]" is no bracket expression
  }
  return ::fnmatch(glob_.c_str(), std::string(text).c_str(), 0) == 0;
}

bool NameMatch::operator()(std::string_view symbol) const {
  if (is_fragment(symbol) && !is_fragment(glob_)) {
    return false;
  }
  if (!symbol.starts_with("_Z")) {
    return glob_matches(symbol) || glob_matches(without_copy_suffix(symbol));
  }
  if (!needle_.empty() && symbol.find(needle_) == std::string_view::npos) {
    return false;
  }
  if (glob_.starts_with("_Z") && glob_matches(symbol)) {
    return true;
  }
  const std::string readable = demangle(std::string(symbol));
  return glob_matches(readable) || glob_matches(without_parameters(readable));
}

}  // namespace raceguard::symbols
