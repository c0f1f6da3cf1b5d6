// SPDX-License-Identifier: Apache-2.0
#include "ctl/view_parts.h"

#include <algorithm>

#include <fmt/format.h>

namespace raceguard::ctl {

std::string state_words(const std::string& state) { return state == "half_open" ? "half-open" : state; }

Tone state_tone(const std::string& state) {
  return state == "open" ? Tone::kBad : state == "half_open" ? Tone::kWarn : Tone::kPlain;
}

std::string measured_name(const std::string& what) {
  std::string words = what.ends_with("_seconds") ? what.substr(0, what.size() - 8) : what;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string measured_value(const std::string& what, double value) {
  if (what.ends_with("_seconds")) {
    return duration(value);
  }
  return what.ends_with("_ratio") ? percent(value) : fmt::format("{:.3g}", value);
}

std::string real_share(const Doc& a_switch) {
  return percent(a_switch.text("applied_state") == "closed" ? 1 : a_switch.number("allow_share", 1));
}

std::string quantile(const Doc& durations, const char* key) {
  const double longest = durations.number("max");
  const double value = durations.number(key);
  return duration(longest > 0 ? std::min(value, longest) : value);
}

double lost_events(const Doc& status) {
  double lost = 0;
  for (const auto& [reason, number] : status.entries("drops")) {
    lost += reason == "sampled_out" ? 0 : number.number().value_or(0);
  }
  return lost;
}

std::string age_of(const Doc& document, const Doc& member, const char* key) {
  const auto now = document.time("time");
  const auto then = member.time(key);
  return now && then ? ago(*now - *then) : "-";
}

std::string clock_of(const Doc& document, const Doc& member, const char* key) {
  const std::string time = member.text(key);
  if (time.size() < 19) {
    return "-";
  }
  const bool same_day = document.text("time").substr(0, 10) == time.substr(0, 10);
  return same_day ? time.substr(11, 8) : time.substr(0, 10) + " " + time.substr(11, 8);
}

std::string short_function(const std::string& function) {
  if (!function.ends_with(')') && !function.ends_with("const")) {
    return function;
  }
  int depth = 0;
  for (std::size_t i = function.rfind(')') + 1; i-- > 0;) {
    depth += function[i] == ')' ? 1 : function[i] == '(' ? -1 : 0;
    if (depth == 0) {
      return i == 0 ? function : function.substr(0, i);
    }
  }
  return function;
}

std::string exemption_lines(const Doc& document, const std::vector<Doc>& exemptions, const Style& style) {
  std::string text;
  for (const Doc& each : exemptions) {
    const std::string state = each.text("state");
    const std::string what =
        fmt::format("{} of {}: {}", short_function(each.text("symbol")), each.text("guard"), each.text("reason"));
    if (state == "sampled") {
      text += wrap(fmt::format("sampled: {}; the return of one call in {:.0f} is seen", what,
                               1 / std::max(each.number("return_share"), 1e-9)),
                   style.width, 0);
      continue;
    }
    const bool on_trial = state == "trial";
    text += wrap(fmt::format("{}: {}; {} {}", on_trial ? "on trial" : "exempt", what,
                             on_trial ? "judged at" : "tried again at", clock_of(document, each, "next_change")),
                 style.width, 0);
  }
  return text;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string frame_text(const Doc& frame, std::size_t width) {
  std::string function = short_function(frame.text("function"));
  if (function.empty()) {
    function = frame.text("address", "?");
  } else if (!frame.has("line") && frame.number("function_offset") > 0) {
    function += fmt::format("+{:#x}", static_cast<unsigned long>(frame.number("function_offset")));
  }
  const std::string place = frame.has("line")
                                ? fmt::format("{}:{:.0f}", file_name(frame.text("file")), frame.number("line"))
                                : file_name(frame.text("binary"));
  const std::size_t room = width > columns_of(place) + 24 ? width - columns_of(place) - 2 : 22;
  return fmt::format("{}  {}", cut_middle(function, room), place);
}

std::size_t first_caller(const Doc& stack, std::size_t frames) {
  const auto caller = static_cast<std::size_t>(stack.number("caller"));
  return caller < frames ? caller : 0;
}

}  // namespace raceguard::ctl
