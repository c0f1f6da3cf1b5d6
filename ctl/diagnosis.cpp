// SPDX-License-Identifier: Apache-2.0
#include "ctl/diagnosis.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/document.h"

namespace raceguard::ctl {
namespace {

constexpr std::array kWords = {"ok", "poor", "MISSING"};
constexpr std::array kTones = {Tone::kGood, Tone::kWarn, Tone::kBad};
constexpr std::size_t kIndent = 17;  // columns of "MISSING  kernel   "

}  // namespace

std::string diagnoses_text(const std::vector<Diagnosis>& all, const Style& style) {
  std::string text;
  std::array<double, 3> counts{};
  for (const Diagnosis& each : all) {
    const auto index = static_cast<std::size_t>(each.health);
    counts.at(index) += 1;
    // The first line's place is taken by the words before it.
    const std::string found = wrap(printable(each.found), style.width, kIndent).substr(kIndent);
    text +=
        style.paint(fmt::format("{:<9}", kWords.at(index)), kTones.at(index)) + fmt::format("{:<8}", each.area) + found;
    if (!each.mend.empty()) {
      text += wrap("mend: " + printable(each.mend), style.width, kIndent);
    }
  }
  return text + fmt::format("\n{:.0f} ok, {:.0f} poor (raceguard works, with less), {:.0f} missing\n", counts[0],
                            counts[1], counts[2]);
}

nlohmann::json diagnoses_json(const std::vector<Diagnosis>& all) {
  static constexpr std::array kNames = {"ok", "poor", "missing"};
  nlohmann::json list = nlohmann::json::array();
  for (const Diagnosis& each : all) {
    list.push_back({{"health", kNames.at(static_cast<std::size_t>(each.health))},
                    {"area", each.area},
                    {"found", each.found},
                    {"mend", each.mend.empty() ? nlohmann::json(nullptr) : nlohmann::json(each.mend)}});
  }
  return {{"healthy", healthy(all)}, {"checks", std::move(list)}};
}

bool healthy(const std::vector<Diagnosis>& all) {
  return std::none_of(all.begin(), all.end(), [](const Diagnosis& each) { return each.health == Health::kMissing; });
}

}  // namespace raceguard::ctl
