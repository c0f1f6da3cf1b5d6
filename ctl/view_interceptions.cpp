// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

std::string names_of(const Doc& one) {
  std::string names;
  for (const Doc& function : one.at("report").list("functions")) {
    names += (names.empty() ? "" : ", ") + short_function(function.text("name"));
  }
  return names.empty() ? "not known yet" : names;
}

std::string state_text(const Doc& document, const Doc& one) {
  const std::string state = one.text("state");
  std::string text = state;
  if (state == "running") {
    text += " since " + clock_of(document, one, "begun");
    if (one.has("until")) {
      text += ", until " + clock_of(document, one, "until");
    }
  } else if (state == "resting" && one.has("next_try")) {
    text += ", tried again at " + clock_of(document, one, "next_try");
  } else if (state == "over" && one.has("ended")) {
    text += " since " + clock_of(document, one, "ended");
  }
  return one.has("why") ? text + ": " + one.text("why") : text;
}

// "12 proofs in 3.1s of watching (232 a minute)"
std::string phase_text(const Doc& race, const char* phase) {
  const Doc counted = race.at(phase);
  if (counted.number("watched_seconds") == 0 && counted.number("proofs") == 0) {
    return fmt::format("{}: not watched", phase);
  }
  std::string text = fmt::format("{}: {} in {} of watching", phase, plural(counted.number("proofs"), "proof"),
                                 duration(counted.number("watched_seconds")));
  if (counted.has("proofs_per_minute")) {
    text += fmt::format(" ({} a minute)", count(counted.number("proofs_per_minute")));
  }
  return text;
}

std::string race_lines(const Doc& one, const Style& style) {
  const std::vector<Doc> races = one.list("races");
  if (races.empty()) {
    return "  no race of it is watched: that it helps is not shown\n";
  }
  std::string text;
  for (const Doc& race : races) {
    text += wrap(fmt::format("race {} on {}. {}; {}; {}", race.text("id"), race.text("variable"),
                             phase_text(race, "before"), phase_text(race, "during"), phase_text(race, "after")),
                 style.width, 2);
  }
  return text;
}

}  // namespace

std::string interceptions_text(const Doc& document, const Style& style) {
  std::string text;
  for (const Doc& one : document.list("interceptions")) {
    const Tone tone = one.text("state") == "running" ? Tone::kBold : Tone::kDim;
    text += style.paint(fmt::format("{} of pid {:.0f}", names_of(one), one.number("pid")), tone) +
            fmt::format(", for {} {} of {}\n  {}\n", one.text("cause"), one.text("name"), one.text("guard"),
                        state_text(document, one));
    text += race_lines(one, style);
    if (one.has("report")) {
      text += "\n" + interception_text(one.at("report"), style);
    }
    text += "\n";
  }
  for (const Doc& proposal : document.list("proposals")) {
    const std::string what = proposal.has("command") ? proposal.text("command") : proposal.text("failure");
    text += wrap(
        fmt::format("finding {} of {}, not kept apart: {}", proposal.text("finding"), proposal.text("guard"), what),
        style.width, 0);
  }
  return text.empty() ? "nothing is kept apart, and no race was proven that could be\n" : text;
}

}  // namespace raceguard::ctl
