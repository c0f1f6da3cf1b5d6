// SPDX-License-Identifier: Apache-2.0
// The report of `record` as one HTML file: findings with both stacks side by side, when they were seen, and the source.
#include <algorithm>
#include <fstream>

#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

constexpr int kLinesAround = 3;  // of source, above and below
constexpr double kTimelineWidth = 900;
constexpr double kTimelineRow = 18;

constexpr std::string_view kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>raceguard: data races</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;color:#1b1f24}
h2{margin:1.6em 0 .2em;font-size:1.15em}
.proven{color:#b3261e}.likely{color:#9a5b00}.info{color:#57606a}
.sides{display:grid;grid-template-columns:1fr 1fr;gap:1em}
.side{border:1px solid #d0d7de;border-radius:6px;padding:.7em;overflow:auto}
pre{font:13px/1.45 ui-monospace,monospace;margin:.5em 0;overflow:auto}
.hit{background:#ffe9e7;display:block}.dim{color:#57606a}
ol{padding-left:1.6em;margin:.4em 0}li{font:13px/1.5 ui-monospace,monospace}
table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}.side{border-color:#30363d}.hit{background:#3d1a17}
.proven{color:#ff7b72}.likely{color:#e3b341}.info,.dim{color:#9198a1}}
</style></head><body>
)";

std::string escaped(const std::string& text) {
  std::string result;
  for (const char byte : text) {
    switch (byte) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += byte;
    }
  }
  return result;
}

std::string place(const Doc& site) {
  return site.has("line") ? fmt::format("{}:{:.0f}", site.text("file"), site.number("line"))
                          : fmt::format("{}+{}", file_name(site.text("binary", "?")), site.text("address"));
}

std::string name_of(const Doc& site) {
  const std::string name = site.text("function");
  return name.empty() ? "(no name)" : name;
}

// Empty where the file is not here.
std::string source_html(const Doc& site) {
  if (!site.has("line")) {
    return {};
  }
  std::ifstream file(site.text("file"));
  const int wanted = static_cast<int>(site.number("line"));
  std::string html;
  std::string line;
  for (int number = 1; number <= wanted + kLinesAround && std::getline(file, line); ++number) {
    if (number < wanted - kLinesAround) {
      continue;
    }
    const std::string text = fmt::format("{:5}  {}\n", number, escaped(printable(line)));
    html += number == wanted ? "<span class=\"hit\">" + text + "</span>" : text;
  }
  return html.empty() ? html : "<pre>" + html + "</pre>";
}

std::string side_html(const Doc& site) {
  std::string html = fmt::format(
      "<div class=\"side\"><b>{}{}</b> in <b>{}</b><br><span class=\"dim\">{} &middot; {} &middot; thread {:.0f} "
      "{}</span>",
      site.flag("atomic") ? "atomic " : "", escaped(site.text("access")), escaped(name_of(site)), escaped(place(site)),
      escaped(site.text("instruction", "?")), site.number("thread"), escaped(site.text("thread_name")));
  html += source_html(site) + "<ol start=\"0\">";
  for (const Doc& frame : site.list("stack")) {
    html += fmt::format("<li>{} <span class=\"dim\">{}</span></li>", escaped(name_of(frame)), escaped(place(frame)));
  }
  html += "</ol>";
  if (site.text("stack_trust") == "untrusted") {
    html += "<span class=\"likely\">This stack cannot be trusted beyond its first line.</span>";
  }
  return html + "</div>";
}

std::string finding_html(const Doc& finding, std::size_t number) {
  const Doc variable = finding.at("variable");
  const std::string verdict = escaped(finding.text("verdict"));
  std::string html = fmt::format("<h2 id=\"f{}\">{}. <span class=\"{}\">{}</span>: {}</h2>\n", number, number, verdict,
                                 verdict, escaped(variable.text("name")));
  html += fmt::format("<p>{}{} &middot; {} bytes at {} &middot; seen {} &middot; build-id {}</p>\n",
                      escaped(variable.text("type", "type unknown")),
                      variable.has("line") ? ", declared at " + escaped(place(variable)) : std::string(),
                      variable.number("size"), escaped(variable.text("address")),
                      escaped(plural(finding.number("count"), "time")), escaped(finding.text("build_id", "none")));
  html += "<div class=\"sides\">";
  for (const Doc& site : finding.list("sites")) {
    html += side_html(site);
  }
  html += "</div>\n<p>" + escaped(finding.text("because")) + ".";
  for (const Doc& lock : finding.list("locks")) {
    const bool first = lock.flag("held_by_first");
    html += fmt::format(" Lock <b>{}</b>: the {} side held it, the other did not.", escaped(lock.text("name")),
                        first ? "first" : "second");
  }
  html += finding.has("caveat") ? " <i>" + escaped(finding.text("caveat")) + ".</i>" : "";
  return html + "</p>\n";
}

// One row a finding, one mark each time it was seen (the first ones).
std::string timeline_html(const Doc& document) {
  const std::vector<Doc> findings = document.list("findings");
  const auto begin = document.time("started");
  const auto end = document.time("time");
  if (findings.empty() || !begin || !end || *end <= *begin) {
    return {};
  }
  std::string html = fmt::format("<h2>When</h2><svg viewBox=\"0 0 {} {}\" width=\"100%\" role=\"img\">",
                                 kTimelineWidth + 40, kTimelineRow * static_cast<double>(findings.size() + 1));
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const double y = kTimelineRow * (static_cast<double>(i) + 0.7);
    html += fmt::format(
        "<text x=\"0\" y=\"{0}\" font-size=\"12\" fill=\"currentColor\">{1}</text><line x1=\"30\" x2=\"{2}\" "
        "y1=\"{3}\" y2=\"{3}\" stroke=\"#8c959f\" stroke-width=\"1\"/>",
        y, i + 1, kTimelineWidth + 30, y - 4);
    for (const Doc& seen : findings[i].list("seen")) {
      const auto at = seen.time();
      if (at) {
        const double x = 30 + kTimelineWidth * std::clamp((*at - *begin) / (*end - *begin), 0.0, 1.0);
        html += fmt::format("<circle cx=\"{:.1f}\" cy=\"{}\" r=\"4\" fill=\"#cf222e\"/>", x, y - 4);
      }
    }
  }
  return html + fmt::format("<text x=\"30\" y=\"{}\" font-size=\"12\" fill=\"currentColor\">0 s to {}</text></svg>\n",
                            kTimelineRow * (static_cast<double>(findings.size()) + 0.8), duration(*end - *begin));
}

std::string locks_html(const Doc& document) {
  std::string html = "<h2>Contended locks</h2><table><tr><th>lock<th>waits<th>total<th>longest</tr>";
  for (const Doc& lock : document.list("locks")) {
    if (lock.text("kind") == "condition") {
      continue;
    }
    const Doc wait = lock.at("wait_seconds");
    html += fmt::format("<tr><td>{}<td>{}<td>{}<td>{}</tr>\n", escaped(lock.text("name", lock.text("address"))),
                        count(lock.number("waits")), duration(wait.number("total")), duration(wait.number("max")));
  }
  return html + "</table>\n";
}

}  // namespace

std::string race_report_html(const Doc& document) {
  const Doc process = document.at("process");
  const std::vector<Doc> findings = document.list("findings");
  std::string html(kHead);
  html += fmt::format("<h1>Data races of {} ({:.0f})</h1><p>{} &middot; {} &middot; raceguard {}</p>\n",
                      escaped(process.text("comm", process.text("exe"))), process.number("pid"),
                      escaped(document.text("time")),
                      findings.empty() ? "none was found" : plural(static_cast<double>(findings.size()), "finding"),
                      escaped(document.text("version")));
  html += timeline_html(document);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    html += finding_html(findings[i], i + 1);
  }
  for (const Doc& deadlock : document.list("deadlocks")) {
    html += "<h2>Deadlock</h2><pre>" + escaped(measured_finding_text(deadlock, Style{})) + "</pre>\n";
  }
  html += locks_html(document);
  const Doc cost = document.at("cost");
  const Doc coverage = document.at("coverage");
  html += fmt::format(
      "<h2>Cost and coverage</h2><p>{} watchpoint hits, {} samples and {} holds ({} in all, the limit of one is {}): "
      "{} of one CPU in "
      "{}; watchpoints on data were armed for {} of it.<br>{} of {} watched, {} touched meanwhile, {} by more than one "
      "thread.</p>\n",
      count(cost.number("hits")), count(cost.number("samples")), count(cost.number("holds")),
      duration(cost.number("hold_seconds")), duration(cost.number("longest_hold_seconds")),
      percent(cost.number("share_of_one_cpu")), duration(cost.number("elapsed_seconds")),
      duration(cost.number("armed_seconds")), count(coverage.number("watched")),
      plural(coverage.number("variables"), "variable"), count(coverage.number("touched")),
      count(coverage.number("shared")));
  for (const Doc& note : document.list("notes")) {
    html += "<p class=\"dim\">Note: " + escaped(note.text()) + "</p>\n";
  }
  return html + "</body></html>\n";
}

}  // namespace raceguard::ctl
