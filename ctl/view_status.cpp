// SPDX-License-Identifier: Apache-2.0
// status, targets and findings.
#include <sstream>

#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

std::string line(std::string_view title, const std::string& text) { return fmt::format("{:<11}{}\n", title, text); }

std::string drops_line(const Doc& document) {
  std::string text;
  for (const auto& [reason, number] : document.entries("drops")) {
    if (const double lost = number.number().value_or(0); lost > 0) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count(lost), reason);
    }
  }
  return text.empty() ? "nothing" : text;
}

std::string policy_line(const Doc& policy, const Style& style) {
  std::string text = fmt::format("generation {}", count(policy.number("generation")));
  if (const double failures = policy.number("reload_failures"); failures > 0) {
    text += fmt::format(", {}", plural(failures, "failed reload"));
  }
  if (policy.has("last_error")) {
    text += style.paint("; the last reload was refused, the policy before it is in force:", Tone::kBad) +
            fmt::format("\n{:<11}{}", "", policy.text("last_error"));
  }
  return text;
}

std::string watch_lines(const Doc& watch, const Style& style) {
  if (!watch.flag("wanted")) {
    return {};
  }
  if (watch.has("trouble")) {
    return line("races", style.paint("not searched: ", Tone::kBad) + watch.text("trouble"));
  }
  std::string text =
      line("races", fmt::format("{}, {} holds ({} in all)", plural(watch.number("registers"), "address register"),
                                count(watch.number("holds")), duration(watch.number("hold_seconds"))));
  for (const Doc& guard : watch.list("guards")) {
    const Doc coverage = guard.at("coverage");
    text += line("", fmt::format("{}: {} proven, {} likely; {} of {} looked at in {}", guard.text("guard"),
                                 count(guard.at("races").number("proven")), count(guard.at("races").number("likely")),
                                 percent(coverage.number("ratio")), plural(coverage.number("variables"), "variable"),
                                 plural(guard.number("processes"), "process")));
    for (const Doc& note : guard.list("notes")) {
      text += wrap("note: " + note.text(), style.width, 11);
    }
  }
  return text;
}

std::string model_text(const Doc& model) {
  if (!model.flag("known")) {
    return {};
  }
  return fmt::format("; its callers feel {:.1f} times that ({:.1f} to {:.1f})", model.number("felt_times"),
                     model.number("lower"), model.number("upper"));
}

std::string bursts_part(const Doc& bursts, const Style& style) {
  std::istringstream lines(burst_lines(bursts, style));
  std::string text;
  for (std::string one; std::getline(lines, one);) {
    text += line(text.empty() ? "bursts" : "", one);
  }
  return text;
}

std::string budget_lines(const Doc& document, const Style& style) {
  const Doc budget = document.at("budget");
  std::string text;
  for (const Doc& guard : budget.list("guards")) {
    text += line(text.empty() ? "budget" : "",
                 fmt::format("{}: probes take {} of its CPU time, {} allowed", guard.text("guard"),
                             percent(guard.number("share")), percent(guard.number("limit"))) +
                     model_text(guard.at("model")));
  }
  for (const Doc& guard : budget.list("contention")) {
    const double watched = guard.number("watched_share");
    text += line(text.empty() ? "budget" : "",
                 fmt::format("{}: seeing futex calls takes {} of its CPU time, {} allowed", guard.text("guard"),
                             percent(guard.number("share")), percent(guard.number("limit"))) +
                     (watched < 1 ? fmt::format("; locks are watched {} of the time", percent(watched)) : ""));
  }
  if (budget.at("fuse").flag("open")) {
    text += line("fuse", style.paint("open, no function is probed: ", Tone::kBad) + budget.at("fuse").text("reason"));
  }
  return text + exemption_lines(document, budget.list("exemptions"), style);
}

std::string evidence_line(const Doc& evidence, const Style& style) {
  std::string text = plural(evidence.number("records"), "record");
  if (const double pending = evidence.number("pending"); pending > 0) {
    text += fmt::format(", {} wait for the disk", count(pending));
  }
  if (const double lost = evidence.number("lost"); lost > 0) {
    text += ", " + style.paint(fmt::format("{} could not be written", count(lost)), Tone::kBad);
  }
  return text;
}

}  // namespace

std::string status_text(const Doc& document, const Style& style) {
  const Doc counts = document.at("counts");
  const bool ready = document.flag("ready");
  std::string text = fmt::format(
      "raceguardd {} is {}, pid {}, up {}\n", document.text("version"),
      ready ? style.paint("ready", Tone::kGood)
            : style.paint("not ready", Tone::kBad) + " (" + document.text("not_ready_reason", "no reason given") + ")",
      fmt::format("{:.0f}", document.number("pid")), duration(document.number("uptime_seconds")));
  text += line("policy", policy_line(document.at("policy"), style));
  text +=
      line("watches", fmt::format("{}, {} ({}), {}", plural(counts.number("targets"), "process"),
                                  plural(counts.number("functions"), "function"),
                                  plural(counts.number("probes"), "probe"), plural(counts.number("locks"), "lock")));
  const double not_closed = counts.number("switches_not_closed");
  text += line("switches", fmt::format("{}, {}", plural(counts.number("switches"), "switch"),
                                       style.paint(fmt::format("{} not closed", count(not_closed)),
                                                   not_closed > 0 ? Tone::kBad : Tone::kPlain)));
  if (const double kept_apart = counts.number("interceptions"); kept_apart > 0) {
    text += line("intercepts", fmt::format("{}: see 'raceguardctl interceptions'", plural(kept_apart, "process")));
  }
  text += line("now", fmt::format("{} wait for a lock, {}", plural(counts.number("lock_waiters"), "thread"),
                                  plural(counts.number("findings"), "finding")));
  text += line("evidence", evidence_line(document.at("evidence"), style));
  text += line("left out", drops_line(document));
  const Doc events = document.at("events");
  text +=
      line("stacks", fmt::format("{} decoded, {} with an untrusted stack", plural(events.number("decoded"), "event"),
                                 count(events.number("stacks_untrusted"))));
  text += line("loop", fmt::format("{}, the longest took {}", plural(document.at("loop").number("ticks"), "tick"),
                                   duration(document.at("loop").number("longest_tick_seconds"))));
  text += line("kernel", document.at("kernel").flag("uprobe_multi") ? "probes by uprobe_multi"
                                                                    : "probes by single perf events (no uprobe_multi)");
  text += budget_lines(document, style);
  text += watch_lines(document.at("watch"), style);
  text += bursts_part(document.at("bursts"), style);
  for (const Doc& omission : document.list("omissions")) {
    text += wrap(fmt::format("not watched: {} of {}: {}", omission.text("what"), omission.text("guard"),
                             omission.text("reason")),
                 style.width, 0);
  }
  return text;
}

std::string targets_text(const Doc& document, const Style& style) {
  Table table({{"PID", Align::kRight},
               {"NAME"},
               {"GUARD"},
               {"PROBES", Align::kRight},
               {"UNIT", Align::kLeft, Shrink::kMiddle},
               {"PROGRAM", Align::kLeft, Shrink::kMiddle}},
              style);
  for (const Doc& target : document.list("targets")) {
    table.row({fmt::format("{:.0f}", target.number("pid")), target.text("comm"), target.text("guard"),
               count(target.number("functions_probed")), target.text("systemd_unit", "-"), target.text("exe")});
    for (const Doc& binary : target.list("binaries")) {
      if (binary.flag("deleted")) {
        table.note(style.paint("  deleted or replaced on disk, not probed: ", Tone::kWarn) + binary.text("path"));
      }
    }
  }
  return table.empty() ? "no process matches the policy; 'raceguardctl check FILE' shows what a policy selects\n"
                       : table.render();
}

namespace {

// What the daemon does about a race, or could.
std::string proposal_line(const Doc& finding, const Style& style) {
  if (finding.flag("intercepted")) {
    return "  kept from happening for now: 'raceguardctl interceptions' shows how\n";
  }
  const Doc proposal = finding.at("proposal");
  return proposal.has("command") ? wrap("until it is fixed: " + proposal.text("command"), style.width, 2) : "";
}

}  // namespace

std::string findings_text(const Doc& document, const Style& style) {
  std::string text;
  for (const Doc& finding : document.list("findings")) {
    const std::string kind = finding.text("kind");
    if (kind == "data_race") {
      text += race_text(finding, style);
      text +=
          style.paint(fmt::format("  id {}, in process {:.0f} of {}, last seen {}", finding.text("id"),
                                  finding.number("pid"), finding.text("guard"), age_of(document, finding, "last_seen")),
                      Tone::kDim) +
          "\n" + proposal_line(finding, style) + "\n";
      continue;
    }
    text += measured_finding_text(finding, style);
    text += fmt::format("  seen {}, last {}, first {}\n", plural(finding.number("count"), "time"),
                        age_of(document, finding, "last_seen"), age_of(document, finding, "first_seen"));
  }
  if (text.empty()) {
    text = "no findings\n";
  }
  if (const double suppressed = document.number("suppressed"); suppressed > 0) {
    text += fmt::format("{} suppressed\n", plural(suppressed, "finding"));
  }
  return text;
}

std::string suppressed_text(const Doc& document, const Style&) {
  std::string text;
  for (const Doc& one : document.list("suppressed")) {
    text += one.flag("added") ? fmt::format("{} of {} is suppressed: added '{}' to {}\n", document.text("id"),
                                            one.text("guard"), one.text("line"), one.text("file"))
                              : fmt::format("{} of {} is suppressed by '{}'\n", document.text("id"), one.text("guard"),
                                            one.text("line"));
  }
  return text;
}

}  // namespace raceguard::ctl
