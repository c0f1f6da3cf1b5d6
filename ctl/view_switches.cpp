// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

std::string notes_of(const Doc& each) {
  std::string text;
  if (each.flag("forced")) {
    text = fmt::format("forced by {}", each.text("forced_by", "somebody"));
  } else if (each.text("state") != each.text("applied_state")) {
    text = each.text("mode") == "observe" ? "observe: not flipped" : "held back by max_open_switches";
  }
  return text.empty() ? each.text("reason") : text;
}

}  // namespace

std::string switches_text(const Doc& document, const Style& style) {
  Table table({{"SWITCH", Align::kLeft, Shrink::kMiddle},
               {"STATE"},
               {"APPLIED"},
               {"REAL CALLS", Align::kRight},
               {"MODE"},
               {"SINCE"},
               {"OPENED", Align::kRight},
               {"WHY", Align::kLeft, Shrink::kEnd}},
              style);
  for (const Doc& each : document.list("switches")) {
    const bool observe = each.text("mode") == "observe";
    table.row({each.text("name"), state_words(each.text("state")), state_words(each.text("applied_state")),
               real_share(each), each.text("mode"), age_of(document, each, "since"),
               count(each.number(observe ? "openings_observed" : "openings_enforced")), notes_of(each)},
              state_tone(each.text("applied_state")));
  }
  return table.empty() ? "the policy defines no switches\n" : table.render();
}

std::string acted_text(const Doc& document, const Style& style) {
  if (!document.has("switch")) {
    return fmt::format("policy reloaded: generation {}\n", count(document.number("generation")));
  }
  const std::string to = document.text("to");
  std::string text =
      fmt::format("switch {} is {}", document.text("switch"), style.paint(state_words(to), state_tone(to)));
  text +=
      document.text("from") == to ? " (it was already)" : fmt::format(" (was {})", state_words(document.text("from")));
  text += document.flag("forced") ? ", forced" : ", released to its breaker";
  text += fmt::format(" by {}: {}\n", document.text("actor", "you"), document.text("reason"));
  return text;
}

}  // namespace raceguard::ctl
