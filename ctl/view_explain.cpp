// SPDX-License-Identifier: Apache-2.0
// Why a switch is where it is, as a short story: state, cause, what would change it, what happened before.
#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

std::string upper(std::string text) {
  for (char& byte : text) {
    byte = static_cast<char>(byte >= 'a' && byte <= 'z' ? byte - 'a' + 'A' : byte);
  }
  return text;
}

std::string effect_of(const Doc& each) {
  const std::string applied = each.text("applied_state");
  if (applied == "closed") {
    return "applications call the real function";
  }
  const std::string share = percent(each.number("allow_share"));
  return applied == "open" ? "applications take their fallback"
                           : fmt::format("{} of the calls try the real function, the others take the fallback", share);
}

std::string headline(const Doc& document, const Doc& each, const Style& style) {
  const std::string state = each.text("state");
  const std::string applied = each.text("applied_state");
  std::string text = style.paint(fmt::format("Switch {} is {}", each.text("name"), upper(state_words(state))),
                                 state == "closed" ? Tone::kBold : state_tone(state));
  if (state != applied) {
    text += fmt::format(" for its breaker and {} for applications", upper(state_words(applied)));
    text += each.text("mode") == "observe" ? " (mode observe: nothing is flipped)" : " (the change is held back)";
  }
  text += fmt::format(": {}.\n", effect_of(each));
  if (!each.has("since")) {
    return text + "It has not changed since raceguardd started.\n";
  }
  return text + wrap(fmt::format("Since {} ({}), because: {}", clock_of(document, each, "since"),
                                 age_of(document, each, "since"), each.text("reason", "no reason was recorded")),
                     style.width, 0);
}

std::string measurements(const std::vector<Doc>& list, std::string_view title, const Style& style) {
  if (list.empty()) {
    return {};
  }
  Table table(
      {{"  MEASURED"}, {"VALUE", Align::kRight}, {""}, {"THRESHOLD", Align::kRight}, {"SAMPLES", Align::kRight}},
      style);
  for (const Doc& one : list) {
    const std::string what = one.text("what");
    table.row({"  " + measured_name(what), measured_value(what, one.number("value")),
               one.flag("crossed") ? "reached" : "is below", measured_value(what, one.number("threshold")),
               count(one.number("samples"))},
              one.flag("crossed") ? Tone::kWarn : Tone::kPlain);
  }
  return fmt::format("\n{}\n{}", style.paint(title, Tone::kBold), table.render());
}

std::string when(const Doc& document, const Doc& each, const char* key) {
  const auto now = document.time("time");
  const auto then = each.time(key);
  if (!now || !then) {
    return {};
  }
  return fmt::format("{} ({})", clock_of(document, each, key),
                     *then > *now ? "in " + duration(*then - *now) : "any moment");
}

std::string outlook(const Doc& document, const Doc& each) {
  const std::string name = each.text("name");
  const std::string state = each.text("state");
  if (each.flag("forced")) {
    const std::string end = each.has("forced_until") ? when(document, each, "forced_until") : "";
    return fmt::format("{} forced it. No measurement moves it until {}'raceguardctl release {}'.",
                       each.text("forced_by", "Somebody"), end.empty() ? "" : end + " or ", name);
  }
  const std::string next = when(document, each, "next_change");
  if (state == "open") {
    return fmt::format("It becomes half-open {}; then a share of the calls tries the real function.",
                       next.empty() ? "by itself" : "at " + next);
  }
  if (state == "half_open") {
    return fmt::format("The trial calls decide: below the thresholds it closes, else it opens again for longer{}.",
                       next.empty() ? "" : "; at the latest at " + next);
  }
  return each.text("mode") == "observe"
             ? "One reached threshold would open it; in mode observe that is counted and nothing is flipped."
             : "One reached threshold opens it.";
}

// Without figures a switch never opens, and a trial ends by closing it.
std::string unprobed_lines(const Doc& each, const Style& style) {
  std::string text;
  for (const Doc& function : each.list("unprobed_functions")) {
    text += wrap(style.paint(fmt::format("Blind for {}: ", function.text()), Tone::kBad) +
                     "it is exempt from probing because of what that cost ('raceguardctl functions'), so the switch "
                     "gets no figures of it.",
                 style.width, 0);
  }
  return text;
}

std::string history(const Doc& document, const Style& style) {
  const std::vector<Doc> decisions = document.list("history");
  if (decisions.empty()) {
    return {};
  }
  Table table({{"  TIME"}, {"CHANGE"}, {"BY"}, {"REASON", Align::kLeft, Shrink::kEnd}}, style);
  for (const Doc& each : decisions) {
    std::string change = state_words(each.text("from")) + " -> " + state_words(each.text("to"));
    change += each.flag("forced") ? " (forced)" : each.flag("enforced") ? "" : " (observed)";
    table.row({"  " + clock_of(document, each, "time"), change, each.text("actor"),
               each.text("reason") + (each.flag("flapping") ? " (flapping)" : "")});
  }
  return fmt::format("\n{}\n{}", style.paint("What happened, newest last", Tone::kBold), table.render());
}

}  // namespace

std::string explain_text(const Doc& document, const Style& style) {
  const Doc each = document.at("switch");
  std::string text = headline(document, each, style);
  const double words = each.number("words");
  text += wrap(fmt::format("Guard {}, mode {}, {} so far; {} carr{} its kernel-held word.", each.text("guard"),
                           each.text("mode"), plural(each.number("transitions"), "transition"),
                           words == 1 ? "1 binary" : count(words) + " binaries", words == 1 ? "ies" : "y"),
               style.width, 0);
  text += unprobed_lines(each, style);
  const std::vector<Doc> decisions = document.list("history");
  if (!decisions.empty()) {
    text += measurements(decisions.back().list("evidence"), "At that moment", style);
  }
  text += measurements(each.list("current"), "In its window now", style);
  text += fmt::format("\n{}\n{}", style.paint("What would change it", Tone::kBold),
                      wrap(outlook(document, each), style.width, 2));
  if (!each.flag("forced")) {
    text += wrap(fmt::format("By hand: raceguardctl force {} open|closed --reason TEXT [--for 10m]", each.text("name")),
                 style.width, 2);
  }
  return text + history(document, style);
}

}  // namespace raceguard::ctl
