// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/suppressions.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

#include <fmt/format.h>

namespace raceguard::detect {
namespace {

using Kind = Suppression::Kind;

struct KindName {
  std::string_view name;
  Kind kind;
};
constexpr std::array kKinds = {
    KindName{"race", Kind::kRace},         KindName{"race_top", Kind::kRaceTop},
    KindName{"deadlock", Kind::kDeadlock}, KindName{"called_from_lib", Kind::kCalledFromLibrary},
    KindName{"thread", Kind::kOther},      KindName{"mutex", Kind::kOther},
    KindName{"signal", Kind::kOther},
};

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view{}
                                         : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// `pattern` without anchors against the whole of `text`; * is any text. Linear: the last star alone is tried again.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  return pattern.substr(p).find_first_not_of('*') == std::string_view::npos;
}

bool matches_code(const std::string& pattern, const symbols::CodeSite& code) {
  const auto hit = [&](const std::string& text) { return suppression_matches(pattern, text); };
  return hit(code.function) || hit(code.binary) || (code.source && hit(code.source->file)) ||
         std::any_of(code.inlined.begin(), code.inlined.end(), [&](const symbols::InlinedCall& call) {
           return hit(call.function) || (call.source && hit(call.source->file));
         });
}

bool matches_stack(const std::string& pattern, const RaceSite& site) {
  return matches_code(pattern, site.code) ||
         std::any_of(site.stack.frames.begin(), site.stack.frames.end(),
                     [&](const symbols::CodeSite& frame) { return matches_code(pattern, frame); });
}

bool matches(const Suppression& suppression, const RaceFinding& finding) {
  const std::string& pattern = suppression.pattern;
  const auto on_a_side = [&](auto test) { return std::any_of(finding.sites.begin(), finding.sites.end(), test); };
  switch (suppression.kind) {
    case Kind::kRace:
      return suppression_matches(pattern, finding.variable.name) ||
             on_a_side([&](const RaceSite& site) { return matches_stack(pattern, site); });
    case Kind::kRaceTop:
      return on_a_side([&](const RaceSite& site) { return matches_code(pattern, site.code); });
    case Kind::kCalledFromLibrary:
      return on_a_side([&](const RaceSite& site) {
        return std::any_of(site.stack.frames.begin(), site.stack.frames.end(),
                           [&](const symbols::CodeSite& frame) { return suppression_matches(pattern, frame.binary); });
      });
    case Kind::kDeadlock:
    case Kind::kOther:
      return false;
  }
  return false;
}

}  // namespace

bool suppression_matches(const std::string& pattern, const std::string& text) {
  if (text.empty()) {
    return false;
  }
  std::string_view body = pattern;
  const bool from_start = body.starts_with('^');
  body.remove_prefix(from_start ? 1 : 0);
  const bool to_end = body.ends_with('$');
  body.remove_suffix(to_end ? 1 : 0);
  return glob(fmt::format("{}{}{}", from_start ? "" : "*", body, to_end ? "" : "*"), text);
}

Result<Suppressions> Suppressions::parse(const std::string& text, const std::string& path) {
  Suppressions made;
  std::istringstream lines(text);
  std::string raw;
  for (std::uint32_t number = 1; std::getline(lines, raw); ++number) {
    const std::string_view line = trimmed(raw);
    if (line.empty() || line.starts_with('#')) {
      continue;
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    const auto* kind =
        std::find_if(kKinds.begin(), kKinds.end(), [name](const KindName& known) { return known.name == name; });
    const std::string_view pattern = colon == std::string_view::npos ? "" : trimmed(line.substr(colon + 1));
    if (kind == kKinds.end() || pattern.empty()) {
      return fail(ErrorCode::kPolicySyntax, fmt::format("{}:{}: '{}' is no suppression", path, number, line),
                  "Write race:FUNCTION_FILE_BINARY_OR_VARIABLE, race_top:FUNCTION or called_from_lib:LIBRARY");
    }
    made.list_.push_back({.kind = kind->kind, .pattern = std::string(pattern), .file = path, .line = number});
  }
  return made;
}

Result<Suppressions> Suppressions::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return fail_errno(ErrorCode::kPolicyUnreadable, fmt::format("cannot read suppressions {}", path), errno);
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse(text.str(), path);
}

std::optional<std::string> Suppressions::match(const RaceFinding& finding) const {
  for (const Suppression& suppression : list_) {
    if (matches(suppression, finding)) {
      const auto* kind = std::find_if(kKinds.begin(), kKinds.end(),
                                      [&](const KindName& known) { return known.kind == suppression.kind; });
      return fmt::format("{}:{} {}:{}", suppression.file, suppression.line, kind->name, suppression.pattern);
    }
  }
  return std::nullopt;
}

void Suppressions::apply(std::vector<RaceFinding>& findings) const {
  for (RaceFinding& finding : findings) {
    if (auto line = match(finding)) {
      finding.suppressed = true;
      finding.suppressed_by = std::move(*line);
    }
  }
}

std::string suppression_for(const RaceFinding& finding) {
  if (finding.variable.global && !finding.variable.name.empty()) {
    return fmt::format("race:^{}$", finding.variable.name);
  }
  for (const RaceSite& site : finding.sites) {
    if (!site.code.function.empty()) {
      return fmt::format("race_top:^{}$", site.code.function);
    }
  }
  return finding.sites.empty() ? std::string() : fmt::format("race:{}", finding.sites.front().code.binary);
}

}  // namespace raceguard::detect
