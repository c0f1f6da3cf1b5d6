// SPDX-License-Identifier: Apache-2.0
// Does a function's name match what a policy says? Made once for a glob, then asked for every name of a table.
#pragma once

#include <string>
#include <string_view>

namespace raceguard::symbols {

class NameMatch {
 public:
  // `glob` as fnmatch(3) has it, or a literal name: "dispatch_command", "ns::*::lock", "_ZN2ns1fEi", "ns::f(int)".
  explicit NameMatch(std::string glob);

  // True if the mangled name, the demangled one, or the demangled one without parameters (and without the suffixes of a
  // compiler's copies: ".isra.0", ".constprop.1") matches. Parts that are not functions of their own (".cold",
  // ".part.0") match only when the glob names them.
  [[nodiscard]] bool operator()(std::string_view symbol) const;

 private:
  [[nodiscard]] bool glob_matches(std::string_view text) const;

  std::string glob_;
  std::string needle_;  // must occur in a mangled name; empty: no such part is certain
};

}  // namespace raceguard::symbols
