// SPDX-License-Identifier: Apache-2.0
// Locks with the code sites of those who wait and those who hold.
#include <algorithm>

#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kSitesShown = 3;   // of waiters, of holders; -o json has all
constexpr std::size_t kFramesShown = 4;  // of a stack, from the one who called the lock on
constexpr std::size_t kWherePlace = 12;  // columns before a site

// Most locks of a server lie on the heap and are called after the code that took them: under the heading "LOCK" that
// code is what tells them apart.
std::string lock_name(const Doc& lock) {
  constexpr std::string_view kPrefix = "lock first taken in ";
  const std::string name = lock.text("name", lock.text("address"));
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

// Its callers that have a name; where none of them has one, whatever there is.
std::vector<Doc> callers_shown(const std::vector<Doc>& frames, std::size_t first) {
  std::vector<Doc> callers(frames.begin() + static_cast<std::ptrdiff_t>(first) + 1, frames.end());
  const auto nameless = [](const Doc& frame) { return frame.text("function").empty(); };
  if (!std::all_of(callers.begin(), callers.end(), nameless)) {
    callers.erase(std::remove_if(callers.begin(), callers.end(), nameless), callers.end());
  }
  const std::size_t shown = std::min(callers.size(), kFramesShown - 1);
  callers.erase(callers.begin() + static_cast<std::ptrdiff_t>(shown), callers.end());
  return callers;
}

void add_site(Table& table, const Doc& site, std::string_view role, const Style& style) {
  const Doc stack = site.at("stack");
  const std::vector<Doc> frames = stack.list("frames");
  const std::size_t first = first_caller(stack, frames.size());
  const double waited = site.number("total_wait_seconds");
  std::string figures = fmt::format("{}x", count(site.number("count")));
  figures += waited > 0 ? fmt::format(", {}", duration(waited)) : "";
  figures += stack.text("trust") == "untrusted" ? style.paint("  stack not trusted", Tone::kWarn) : "";
  if (frames.empty()) {
    table.note(fmt::format("  {:<{}}unknown  {}", role, kWherePlace - 2, figures));
    return;
  }
  const std::size_t room = style.width > 60 ? style.width - kWherePlace - 26 : 34;
  table.note(fmt::format("  {:<{}}{}  {}", role, kWherePlace - 2, frame_text(frames[first], room), figures));
  for (const Doc& caller : callers_shown(frames, first)) {
    table.note(style.paint(fmt::format("{:{}}from {}", "", kWherePlace, frame_text(caller, room - 5)), Tone::kDim));
  }
}

void add_sites(Table& table, const Doc& lock, const char* key, std::string_view role, const Style& style) {
  const std::vector<Doc> sites = lock.list(key);
  for (std::size_t i = 0; i < std::min(sites.size(), kSitesShown); ++i) {
    add_site(table, sites[i], role, style);
  }
  if (sites.size() > kSitesShown) {
    table.note(fmt::format("{:{}}and {} more", "", kWherePlace, sites.size() - kSitesShown));
  }
}

}  // namespace

std::string locks_text(const Doc& document, const Style& style) {
  Table table({{"LOCK", Align::kLeft, Shrink::kMiddle},
               {"WAITS", Align::kRight},
               {"NOW", Align::kRight},
               {"TOTAL", Align::kRight},
               {"P50", Align::kRight},
               {"P99", Align::kRight},
               {"MAX", Align::kRight},
               {"PID", Align::kRight},
               {"GUARD", Align::kLeft, Shrink::kMiddle}},
              style);
  std::size_t conditions = 0;
  const std::vector<Doc> locks = document.list("locks");
  for (const Doc& lock : locks) {
    if (lock.text("kind") == "condition") {
      ++conditions;  // idling threads; beside contended locks they are noise
      continue;
    }
    const Doc wait = lock.at("wait_seconds");
    table.row({lock_name(lock), count(lock.number("waits")), count(lock.number("waiting_now")),
               duration(wait.number("total")), quantile(wait, "p50"), quantile(wait, "p99"),
               duration(wait.number("max")), fmt::format("{:.0f}", lock.number("pid")), lock.text("guard")},
              Tone::kBold);
    add_sites(table, lock, "waiters", "waits in", style);
    add_sites(table, lock, "holders", "held by", style);
  }
  std::string text = table.empty() ? "no contended locks\n" : table.render();
  if (conditions > 0) {
    text += fmt::format("{} not shown: threads idle on them (-o json has them)\n",
                        plural(static_cast<double>(conditions), "condition variable"));
  }
  const double total = document.number("total");
  if (total > static_cast<double>(locks.size())) {
    text += fmt::format("the {} of {} with the longest total wait; --limit N shows more\n", locks.size(), count(total));
  }
  return text;
}

}  // namespace raceguard::ctl
