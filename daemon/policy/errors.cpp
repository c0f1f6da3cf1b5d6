// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace raceguard::policy {
namespace {

constexpr std::size_t kLongestCompared = 128;  // the distance costs length times length
constexpr std::size_t kLongestQuoted = 80;

// Optimal string alignment distance (Damerau-Levenshtein with each part edited once).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t replace = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string to_string(const Position& position) {
  return position.line == 0 ? position.file : fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

std::string in_quotes(std::string_view text) {
  std::string shown(text.substr(0, kLongestQuoted));
  for (char& letter : shown) {
    letter = static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F ? '?' : letter;
  }
  return fmt::format("\"{}{}\"", shown, text.size() > kLongestQuoted ? "..." : "");
}

void PolicyErrors::add(PolicyError error) {
  if (!full()) {
    list_.push_back(std::move(error));
  }
}

PolicyError error_at(ErrorCode code, const Position& position, std::string what, std::string remedy) {
  return {Error(code, fmt::format("{}: {}", to_string(position), what), std::move(remedy)), position};
}

std::string_view nearest(std::string_view found, const std::vector<std::string>& candidates) {
  std::string_view best;
  std::size_t fewest = std::max<std::size_t>(2, found.size() / 3) + 1;
  if (found.size() > kLongestCompared) {
    return best;
  }
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestCompared) {
      continue;
    }
    const std::size_t edits = edit_distance(found, candidate);
    // Of equally near ones that with the same first letter: MB is meant as MiB, not as B.
    const bool nearer = edits < fewest || (edits == fewest && !best.empty() && best.front() != found.front() &&
                                           !candidate.empty() && candidate.front() == found.front());
    if (nearer && edits < std::max(found.size(), candidate.size())) {
      fewest = edits;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view found, const std::vector<std::string>& candidates) {
  const std::string_view best = nearest(found, candidates);
  return best.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", best);
}

std::string PolicyErrors::to_string() const {
  std::string text;
  for (const PolicyError& entry : list_) {
    const Error& error = entry.error;
    const bool asks = error.what().ends_with('?');
    const std::string_view gap = error.remedy().empty() ? "" : asks ? " " : ". ";
    text += fmt::format("{}{}{} [{}]\n", error.what(), gap, error.remedy(), describe(error.code()).id);
  }
  if (full()) {
    text += fmt::format("There may be more; these are the first {}.\n", kMost);
  }
  return text;
}

Error PolicyErrors::to_error() const {
  if (list_.empty()) {
    return {ErrorCode::kInternal, "policy was refused without a reason"};
  }
  const Error& first = list_.front().error;
  if (list_.size() == 1) {
    return first;
  }
  return {first.code(), fmt::format("{} (and {} more errors)", first.what(), list_.size() - 1), first.remedy()};
}

PolicyError matches_nothing(const Position& position, std::string_view what, std::string_view glob,
                            std::string_view where, const std::vector<std::string>& candidates) {
  // What a person mistypes is the name: compare without the stars and without a demangled function's parameters.
  std::string plain(glob);
  std::erase(plain, '*');
  std::vector<std::string> names;
  names.reserve(candidates.size());
  for (const std::string& candidate : candidates) {
    names.push_back(candidate.substr(0, candidate.find('(')));
  }
  return error_at(ErrorCode::kPolicyMatchesNothing, position,
                  fmt::format("{} \"{}\" matches nothing in {}, expected at least one match{}", what, glob, where,
                              did_you_mean(plain, names)),
                  "");
}

}  // namespace raceguard::policy
