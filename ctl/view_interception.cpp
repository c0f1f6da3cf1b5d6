// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

// "time_out 3, nested 1"; empty: none
std::string counted(const Doc& counts) {
  std::string text;
  for (const auto& [label, value] : counts.entries("fail_open")) {
    if (value.number().value_or(0) > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", measured_name(label), count(*value.number()));
    }
  }
  return text;
}

std::string unusual_ends(const Doc& function) {
  std::string text;
  const Doc back = function.at("given_back");
  for (const char* label : {"unwound", "exit", "lease"}) {
    if (back.number(label) > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", label, count(back.number(label)));
    }
  }
  return text;
}

void add_function(Table& table, const Doc& function) {
  table.row({short_function(function.text("name")), function.text("mode"), function.text("key"),
             count(function.number("calls")), count(function.number("taken")), count(function.number("waits")),
             duration(function.number("mean_wait_seconds")), duration(function.number("max_wait_seconds")),
             duration(function.number("mean_inside_seconds"))});
  if (const std::string opened = counted(function); !opened.empty()) {
    table.note("    went on without: " + opened);
  }
  if (function.number("preempted") + function.number("slept") > 0) {
    table.note(fmt::format("    inside: lost the CPU {} times, slept {} times", count(function.number("preempted")),
                           count(function.number("slept"))));
  }
  if (const std::string ends = unusual_ends(function); !ends.empty()) {
    table.note("    given back otherwise than at a return: " + ends);
  }
}

}  // namespace

std::string interception_text(const Doc& document, const Style& style) {
  std::string text = fmt::format("pid {:.0f} ({}) for {}: {}\n\n", document.number("pid"), document.text("exe"),
                                 duration(document.number("elapsed_seconds")),
                                 document.text("ended").empty() ? "goes on" : document.text("ended"));
  Table table({{"FUNCTION", Align::kLeft, Shrink::kMiddle},
               {"MODE"},
               {"KEY"},
               {"CALLS", Align::kRight},
               {"KEPT APART", Align::kRight},
               {"WAITS", Align::kRight},
               {"MEAN", Align::kRight},
               {"LONGEST", Align::kRight},
               {"INSIDE", Align::kRight}},
              style);
  for (const Doc& function : document.list("functions")) {
    add_function(table, function);
  }
  text += table.render() + "\n";
  text += fmt::format("cost to the process: {} of its CPU time ({} waited, {} in all); it may take {}\n",
                      percent(document.number("cost_share")), duration(document.number("wait_seconds")),
                      duration(document.number("cost_seconds")), percent(document.number("budget_share")));
  const double opened = document.number("fail_open");
  if (document.flag("dry_run")) {
    return text + fmt::format("a dry run: nothing was kept apart; {} would have waited\n", plural(opened, "call"));
  }
  text += opened > 0 ? fmt::format("{} went on without the slot: those may have overlapped\n", plural(opened, "call"))
                     : "no call went on without the slot\n";
  for (const Doc& note : document.list("notes")) {
    text += wrap("note: " + note.text(), style.width, 0);
  }
  return text;
}

}  // namespace raceguard::ctl
