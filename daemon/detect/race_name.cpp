// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/race_name.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "daemon/detect/site_text.h"
#include "raceguard/stable_hash.h"

namespace raceguard::detect {
namespace {

using symbols::file_name;

std::string site_key(const RaceSite& site) {
  const symbols::CodeSite& code = site.code;
  return code.function.empty()
             ? fmt::format("{}@{:#x}", file_name(code.binary), code.address)
             : fmt::format("{}@{}+{:#x}", file_name(code.binary), code.function, code.function_offset);
}

std::string_view access_word(symbols::AccessMode mode) {
  return symbols::kAccessModeNames.at(static_cast<std::size_t>(mode));
}

}  // namespace

std::uint64_t race_hash(const RaceFinding& finding) {
  const RaceVariable& variable = finding.variable;
  std::string key = fmt::format("{}|", static_cast<int>(finding.evidence));
  key += variable.global ? fmt::format("{}:{}", file_name(variable.binary), variable.name) : std::string("memory");
  std::vector<std::string> sites;
  for (const RaceSite& site : finding.sites) {
    sites.push_back(site_key(site));
  }
  std::sort(sites.begin(), sites.end());
  for (const std::string& site : sites) {
    key += "|" + site;
  }
  return stable_hash(key);
}

std::string race_id(std::uint64_t hash) { return fmt::format("{:012x}", hash >> 16U); }

std::string race_id(const RaceFinding& finding) { return race_id(race_hash(finding)); }

std::string race_sentence(const RaceFinding& finding) {
  static constexpr std::array<std::string_view, 3> kVerdicts = {"proven data race", "likely data race",
                                                                "unordered accesses"};
  std::string text =
      fmt::format("{} on {}", kVerdicts.at(static_cast<std::size_t>(finding.verdict)), finding.variable.name);
  const char* before = ": ";
  for (const RaceSite& site : finding.sites) {
    text += fmt::format("{}{} in {}", before, access_word(site.mode), site_text(site.code));
    before = ", ";
  }
  return text;
}

}  // namespace raceguard::detect
