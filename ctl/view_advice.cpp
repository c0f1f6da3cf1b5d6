// SPDX-License-Identifier: Apache-2.0
// The report of locks --advise: each busy lock with what to change, then orders of locks that contradict each other;
// of one process, or of all that the daemon looks at.
#include <algorithm>

#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kFramesShown = 4;

void add_stack(std::string& text, const Doc& stack, const Style& style) {
  const std::vector<Doc> frames = stack.list("frames");
  const std::size_t room = std::max<std::size_t>(style.width, 60) - 12;
  const std::size_t first = first_caller(stack, frames.size());
  for (std::size_t i = first; i < std::min(frames.size(), first + kFramesShown); ++i) {
    text +=
        style.paint(fmt::format("      {} {}", i == first ? "in  " : "from", frame_text(frames[i], room)), Tone::kDim) +
        "\n";
  }
}

std::string advice_paragraphs(const Doc& lock, const Style& style) {
  std::string text;
  for (const Doc& advice : lock.list("advice")) {
    const std::string change = advice.text("change");
    const bool is_change = change != "keep" && change != "too_few_figures";
    text += style.paint(wrap(advice.text("text"), style.width, 4), is_change ? Tone::kWarn : Tone::kDim);
  }
  return text;
}

std::string cycle_text(const Doc& cycle, const Style& style) {
  std::string text =
      style.paint("lock order (likely): threads take these locks in orders that can end in a deadlock", Tone::kBad) +
      "\n";
  return text + orders_text(cycle, style);
}

std::string cost_text(const Doc& cost) {
  const double cpu = cost.number("target_cpu_seconds");
  return fmt::format("{}, on for {} in all of {}: {} hits, {} of the process's time{}\n",
                     plural(cost.number("bursts"), "burst"), duration(cost.number("on_seconds")),
                     duration(cost.number("elapsed_seconds")), count(cost.number("hits")),
                     duration(cost.number("cost_seconds")),
                     cpu > 0 ? fmt::format(" ({} of its CPU time)", percent(cost.number("cost_seconds") / cpu)) : "");
}

std::string guard_text(const Doc& guard) {
  const double waiting = guard.number("waiting");
  return fmt::format("{}: {} in {}{}, {} of {} that they used (at most {})\n", guard.text("guard"),
                     plural(guard.number("bursts"), "burst"), plural(guard.number("processes"), "process"),
                     waiting > 0 ? fmt::format(", {} waiting for their turn", count(waiting)) : "",
                     duration(guard.number("cost_seconds")), duration(guard.number("target_cpu_seconds")),
                     percent(guard.number("limit")));
}

}  // namespace

std::string orders_text(const Doc& cycle, const Style& style) {
  std::string text;
  for (const Doc& step : cycle.list("orders")) {
    text += wrap(fmt::format("holds {} (from {}) and wants {} in {}, {}", step.text("held"), step.text("held_at"),
                             step.text("wanted"), step.text("wanted_at"), plural(step.number("count"), "time")),
                 style.width, 2);
    add_stack(text, step.at("stack"), style);
  }
  return text;
}

std::string burst_lines(const Doc& bursts, const Style& style) {
  if (!bursts.flag("wanted")) {
    return {};
  }
  if (bursts.has("trouble")) {
    return style.paint("no lock bursts: ", Tone::kBad) + bursts.text("trouble") + "\n";
  }
  std::string text =
      bursts.flag("held") ? style.paint("no lock bursts for now: the fuse is open", Tone::kWarn) + "\n" : "";
  for (const Doc& guard : bursts.list("guards")) {
    text += guard_text(guard);
    for (const Doc& note : guard.list("notes")) {
      text += wrap("note: " + note.text(), style.width, 2);
    }
  }
  return text;
}

std::string daemon_advice_text(const Doc& document, const Style& style) {
  if (!document.at("bursts").flag("wanted")) {
    return "no policy has lock bursts: give one 'bursts: {enabled: true}' and reload, or name a process by --pid\n";
  }
  std::string text;
  for (const Doc& report : document.list("reports")) {
    text +=
        style.paint(fmt::format("{} ({:.0f}) of {}", report.text("comm"), report.number("pid"), report.text("guard")),
                    Tone::kBold) +
        "\n\n" + lock_advice_text(report, style) + "\n";
  }
  return text + burst_lines(document.at("bursts"), style);
}

std::string lock_advice_text(const Doc& document, const Style& style) {
  std::string text;
  for (const Doc& lock : document.list("locks")) {
    const Doc hold = lock.at("hold_seconds");
    text += style.paint(fmt::format("{}  {}", lock.text("name"), lock.text("kind")), Tone::kBold) + "\n";
    text += fmt::format("    {}/s, {} read, held p50 {} p99 {} max {}, waited {} times for {}\n",
                        count(lock.number("acquisitions_per_second")),
                        lock.has("read_share") ? percent(lock.number("read_share")) : "?", duration(hold.number("p50")),
                        duration(hold.number("p99")), duration(hold.number("max")), count(lock.number("contended")),
                        duration(lock.number("wait_seconds")));
    text += advice_paragraphs(lock, style);
    std::string stack;
    add_stack(stack, lock.at("stack"), style);
    text += stack;
  }
  if (text.empty()) {
    text = "no lock was taken during the bursts\n";
  }
  const std::size_t shown = document.list("locks").size();
  if (document.number("total") > static_cast<double>(shown)) {
    text += fmt::format("the {} busiest of {} locks; --limit N shows more\n", shown, count(document.number("total")));
  }
  text += "\n";
  for (const Doc& cycle : document.list("cycles")) {
    text += cycle_text(cycle, style);
  }
  text += document.list("cycles").empty() ? "no orders of locks that contradict each other\n" : "";
  text += cost_text(document.at("cost"));
  for (const auto& [reason, lost] : document.entries("drops")) {
    text += fmt::format("lost: {} {}\n", count(lost.number().value_or(0)), reason);
  }
  for (const Doc& note : document.list("notes")) {
    text += wrap(note.text(), style.width, 0);
  }
  return text;
}

}  // namespace raceguard::ctl
