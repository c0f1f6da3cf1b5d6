// SPDX-License-Identifier: Apache-2.0
#include "daemon/intercept_proposal.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

constexpr std::size_t kMostCandidates = 4;

std::string shell_word(const std::string& text) {
  const bool plain = std::ranges::all_of(text, [](unsigned char byte) {
    return std::isalnum(byte) != 0 || byte == '_' || byte == ':' || byte == ',' || byte == '.';
  });
  if (plain) {
    return text;
  }
  std::string quoted = "'";
  for (const char byte : text) {
    quoted += byte == '\'' ? std::string("'\\''") : std::string(1, byte);
  }
  return quoted + "'";
}

}  // namespace

void RaceSide::add_access(const std::string& function, const std::string& binary, std::uint64_t offset) {
  add(function, binary);
  if (!candidates_.empty()) {
    candidates_.front().accesses = {offset};
  }
}

void RaceSide::add(const std::string& function, const std::string& binary) {
  RequestedFunction candidate;
  candidate.name = function;
  candidate.binary = binary;
  const bool known = std::ranges::any_of(candidates_, [&](const RequestedFunction& one) {
    return one.name == candidate.name && one.binary == candidate.binary;
  });
  if (!function.empty() && !known && candidates_.size() < kMostCandidates) {
    candidates_.push_back(std::move(candidate));
  }
}

RaceSides sides_of(const detect::RaceFinding& race) {
  RaceSides sides;
  if (race.verdict != detect::Verdict::kProven || race.sites.size() != 2) {
    return sides;
  }
  for (const detect::RaceSite& site : race.sites) {
    RaceSide side;
    if (site.instruction.empty()) {
      side.add(site.code.function, site.code.binary);
    } else {
      side.add_access(site.code.function, site.code.binary, site.code.function_offset);
    }
    for (const symbols::CodeSite& frame : site.stack.frames) {
      side.add(frame.function, frame.binary);
    }
    sides.push_back(side.take());
  }
  return sides;
}

std::string intercept_command(pid_t pid, const std::vector<RequestedFunction>& functions, std::string_view length) {
  std::string names;
  for (const RequestedFunction& function : functions) {
    names += (names.empty() ? "" : ",") + name_with_accesses(function);
  }
  return fmt::format("raceguardctl intercept -p {} -f {} --for {}", pid, shell_word(names), length);
}

}  // namespace raceguard::app
