// SPDX-License-Identifier: Apache-2.0
// Findings that are known and accepted, from a file in ThreadSanitizer's format
// (github.com/google/sanitizers/wiki/ThreadSanitizerSuppressions), so that one list serves both:
//
//   # a comment
//   race:^do_stats$            a function, source file, binary or variable on either side, anywhere in its stack
//   race_top:Cache::peek       only where the access itself is
//   called_from_lib:libfoo.so  a binary anywhere in a stack
//   deadlock:Registry          lock order (kept for that detector)
//
// * stands for any text; without ^ and $ a pattern may match in the middle. thread:, mutex: and signal: are taken and
// mean nothing here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/detect/race_finding.h"
#include "raceguard/error.h"

namespace raceguard::detect {

struct Suppression {
  enum class Kind { kRace, kRaceTop, kCalledFromLibrary, kDeadlock, kOther };
  Kind kind = Kind::kRace;
  std::string pattern;
  std::string file;
  std::uint32_t line = 0;
};

class Suppressions {
 public:
  Suppressions() = default;
  // kPolicyUnreadable; kPolicySyntax with file:line, for a line that is none.
  static Result<Suppressions> read(const std::string& path);
  static Result<Suppressions> parse(const std::string& text, const std::string& path);

  // The first that matches, "FILE:LINE race:pattern"; nothing: report it.
  [[nodiscard]] std::optional<std::string> match(const RaceFinding& finding) const;
  // Marks what is suppressed.
  void apply(std::vector<RaceFinding>& findings) const;
  [[nodiscard]] std::size_t size() const { return list_.size(); }

 private:
  std::vector<Suppression> list_;
};

// As ThreadSanitizer matches: see above.
[[nodiscard]] bool suppression_matches(const std::string& pattern, const std::string& text);

// The line that suppresses the finding: its variable if it has a name, else the function of its first site.
[[nodiscard]] std::string suppression_for(const RaceFinding& finding);

}  // namespace raceguard::detect
