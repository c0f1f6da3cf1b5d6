// SPDX-License-Identifier: Apache-2.0
// Data races, as a good compiler would tell them: place, verdict, variable, then both sides.
#include <algorithm>

#include <fmt/format.h>

#include "ctl/intercept_proposal.h"
#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kFramesShown = 6;

std::string place(const Doc& site) {
  if (site.has("line")) {
    return fmt::format("{}:{:.0f}", site.text("file"), site.number("line"));
  }
  return fmt::format("{}+{}", file_name(site.text("binary", "?")), site.text("address"));
}

std::string function_of(const Doc& site) {
  const std::string name = short_function(site.text("function"));
  if (name.empty()) {
    return "a function without a name";
  }
  return site.has("line") ? name : fmt::format("{}+{:#x}", name, static_cast<unsigned long>(site.number("offset")));
}

std::string variable_text(const Doc& variable) {
  std::string text = variable.text("name");
  if (variable.has("type")) {
    text += fmt::format(" ({})", variable.text("type"));
  }
  if (variable.has("line")) {
    text += fmt::format(", declared at {}:{:.0f}", file_name(variable.text("file")), variable.number("line"));
  }
  return text;
}

void add_site(std::string& text, const Doc& site, const Style& style) {
  const std::string atomic = site.flag("atomic") ? "atomic " : "";
  text += fmt::format("  {}{} in {} at {}\n", atomic, site.text("access"), style.paint(function_of(site), Tone::kBold),
                      place(site));
  const std::string thread = site.has("thread_name")
                                 ? fmt::format("{:.0f} ({})", site.number("thread"), site.text("thread_name"))
                                 : fmt::format("{:.0f}", site.number("thread"));
  text += style.paint(fmt::format("      {}   thread {}", site.text("instruction", "?"), thread), Tone::kDim) + "\n";
  const std::vector<Doc> frames = site.list("stack");
  for (std::size_t i = 1; i < std::min(frames.size(), kFramesShown); ++i) {
    const std::string name = short_function(frames[i].text("function"));
    text +=
        style.paint(fmt::format("      from {} at {}", name.empty() ? "?" : name, place(frames[i])), Tone::kDim) + "\n";
  }
  if (site.text("stack_trust") == "untrusted") {
    text += style.paint("      this stack cannot be trusted beyond its first line", Tone::kWarn) + "\n";
  }
}

void add_lock(std::string& text, const Doc& lock) {
  const bool first = lock.flag("held_by_first");
  text += fmt::format("  lock {}: the {} held it, the {} did not\n", lock.text("name"), first ? "first" : "second",
                      first ? "second" : "first");
}

std::string cost_text(const Doc& cost) {
  return fmt::format(
      "cost to the process: {} hits of watchpoints, {} samples and {} holds ({} in all, the limit of one is {}), {} of "
      "one CPU in {}; watchpoints on data were armed for {} of it\n",
      count(cost.number("hits")), count(cost.number("samples")), count(cost.number("holds")),
      duration(cost.number("hold_seconds")), duration(cost.number("longest_hold_seconds")),
      percent(cost.number("share_of_one_cpu")), duration(cost.number("elapsed_seconds")),
      duration(cost.number("armed_seconds")));
}

std::string coverage_text(const Doc& coverage) {
  return fmt::format("looked at: {} of {}, {} touched meanwhile, {} by more than one thread\n",
                     count(coverage.number("watched")), plural(coverage.number("variables"), "variable"),
                     count(coverage.number("touched")), count(coverage.number("shared")));
}

std::string sampled_text(const Doc& sampled) {
  if (sampled.number("samples") == 0) {
    return "";
  }
  return fmt::format("its running code: {}, {} touched, {} of them by more than one thread with a write\n",
                     plural(sampled.number("samples"), "sample"), plural(sampled.number("words"), "word"),
                     count(sampled.number("shared_words")));
}

}  // namespace

std::string race_text(const Doc& finding, const Style& style) {
  const std::vector<Doc> sites = finding.list("sites");
  const std::string verdict = finding.text("verdict");
  const Tone tone = verdict == "proven" ? Tone::kBad : verdict == "likely" ? Tone::kWarn : Tone::kDim;
  std::string text = sites.empty() ? "" : style.paint(place(sites.front()) + ": ", Tone::kBold);
  text += style.paint(verdict == "info" ? "unordered accesses" : verdict + " data race", tone) + " on " +
          style.paint(variable_text(finding.at("variable")), Tone::kBold) + "\n";
  for (const Doc& site : sites) {
    add_site(text, site, style);
  }
  if (sites.size() < 2) {
    text += "  the other side was not seen\n";
  }
  for (const Doc& lock : finding.list("locks")) {
    add_lock(text, lock);
  }
  text += wrap(finding.text("because") + fmt::format(". Seen {}.", plural(finding.number("count"), "time")),
               style.width, 2);
  if (finding.has("caveat")) {
    text += wrap("note: " + finding.text("caveat"), style.width, 2);
  }
  return text;
}

std::string race_report_text(const Doc& document, const Style& style) {
  const Doc process = document.at("process");
  std::string text;
  for (const Doc& finding : document.list("findings")) {
    text += race_text(finding, style);
    const std::string command = intercept_command(finding, fmt::format("{:.0f}", process.number("pid")));
    if (finding.text("verdict") == "proven" && finding.list("sites").size() == 2 && !command.empty()) {
      text += wrap("until it is fixed: " + command, style.width, 2);
    }
    text += "\n";
  }
  if (text.empty()) {
    text = fmt::format("no data race was found in {} ({:.0f})\n\n", process.text("comm", process.text("exe")),
                       process.number("pid"));
  }
  for (const Doc& deadlock : document.list("deadlocks")) {
    text += measured_finding_text(deadlock, style) + "\n";
  }
  text += style.paint("contended locks", Tone::kBold) + "\n" + locks_text(document, style) + "\n";
  text +=
      coverage_text(document.at("coverage")) + sampled_text(document.at("sampled")) + cost_text(document.at("cost"));
  if (document.number("suppressed") > 0) {
    text += fmt::format("{} suppressed\n", plural(document.number("suppressed"), "finding"));
  }
  for (const Doc& note : document.list("notes")) {
    text += wrap("note: " + note.text(), style.width, 0);
  }
  return text;
}

}  // namespace raceguard::ctl
