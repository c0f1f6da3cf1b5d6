// SPDX-License-Identifier: Apache-2.0
#include "ctl/top_frame.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "ctl/document.h"
#include "ctl/view_parts.h"
#include "ctl/views.h"
#include "daemon/events/lock_functions.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kPlentyOfRows = 1000;

using ByKey = std::map<std::string, Doc>;

std::string lock_key(const Doc& lock) { return lock.text("address") + " " + fmt::format("{:.0f}", lock.number("pid")); }
std::string function_key(const Doc& each) {
  return fmt::format("{:.0f} {}", each.number("function_id"), each.text("symbol"));
}

ByKey members(const TopSample* sample, bool locks) {
  ByKey found;
  if (sample != nullptr) {
    const Doc document(locks ? *sample->locks : *sample->functions);
    for (const Doc& each : document.list(locks ? "locks" : "functions")) {
      found.emplace(locks ? lock_key(each) : function_key(each), each);
    }
  }
  return found;
}

// What grew since the sample before, and in how many seconds. A member that is new, or shrank (another process got
// its slot), is counted from nothing.
class Growth {
 public:
  Growth(const ByKey& before, const std::string& key, const Doc& now, double seconds) : now_(now), seconds_(seconds) {
    const auto found = before.find(key);
    before_ = found == before.end() ? nullptr : &found->second;
  }
  [[nodiscard]] bool known() const { return seconds_ > 0; }
  [[nodiscard]] double of(const char* key) const { return grown(now_.number(key), before_ ? before_->number(key) : 0); }
  [[nodiscard]] double of(const char* object, const char* key) const {
    return grown(now_.at(object).number(key), before_ ? before_->at(object).number(key) : 0);
  }
  [[nodiscard]] double per_second(double grown_by) const { return known() ? grown_by / seconds_ : 0; }

 private:
  static double grown(double now, double before) { return now < before ? now : now - before; }
  Doc now_;
  const Doc* before_;
  double seconds_;
};

std::string rate(const Growth& growth, double value) {
  if (!growth.known()) {
    return "-";
  }
  const double per_second = growth.per_second(value);
  return per_second > 0 && per_second < 9.95 ? fmt::format("{:.1f}", per_second) : count(per_second);
}

std::string share(const Growth& growth, const char* part) {
  const double of = growth.of("returns");
  return of > 0 ? percent(growth.of(part) / of) : "-";
}

// The function that asked for the lock, without the lock's own frames.
std::string caller(const Doc& lock, const char* role) {
  const std::vector<Doc> sites = lock.list(role);
  if (sites.empty()) {
    return "-";
  }
  for (const Doc& frame : sites.front().at("stack").list("frames")) {
    const std::string function = frame.text("function");
    if (!function.empty() && !events::wait_kind_of(function)) {
      return short_function(function);
    }
  }
  return "?";
}

double seconds_between(const TopFrame& frame) {
  if (frame.before == nullptr) {
    return 0;
  }
  const auto from = Doc(*frame.before->status).time("time");
  const auto to = Doc(*frame.now->status).time("time");
  return from && to ? *to - *from : 0;
}

std::string header(const TopFrame& frame, const Style& style) {
  const Doc status(*frame.now->status);
  const Doc counts = status.at("counts");
  const std::string state = status.flag("ready") ? "ready" : "NOT READY: " + status.text("not_ready_reason", "?");
  const std::string clock = status.text("time").size() < 19 ? "?" : status.text("time").substr(11, 8);
  std::string first = fmt::format("raceguard {}  {} UTC, up {}  {}", status.text("version"), clock,
                                  duration(status.number("uptime_seconds")), state);
  std::string second = fmt::format("{}, {}, {} ({} waiting), {}, {} lost", plural(counts.number("targets"), "process"),
                                   plural(counts.number("probes"), "probe"), plural(counts.number("locks"), "lock"),
                                   count(counts.number("lock_waiters")), plural(counts.number("findings"), "finding"),
                                   count(lost_events(status)));
  const double open = counts.number("switches_not_closed");
  const std::string third =
      fmt::format("{} of {} not closed", count(open), plural(counts.number("switches"), "switch"));
  std::string text = style.paint(cut(first, style.width), status.flag("ready") ? Tone::kBold : Tone::kBad) + "\n";
  text += cut(second, style.width) + "\n" + style.paint(third, open > 0 ? Tone::kBad : Tone::kPlain) + "\n";
  return frame.trouble.empty() ? text : text + style.paint(cut(frame.trouble, style.width), Tone::kBad) + "\n";
}

std::string switch_rows(const TopFrame& frame, const Style& style, std::size_t most) {
  const Doc document(*frame.now->switches);
  Table table({{"SWITCH", Align::kLeft, Shrink::kMiddle},
               {"STATE"},
               {"APPLIED"},
               {"REAL", Align::kRight},
               {"SINCE"},
               {"WHY", Align::kLeft, Shrink::kEnd}},
              style);
  std::vector<Doc> all = document.list("switches");
  std::stable_partition(all.begin(), all.end(), [](const Doc& each) { return each.text("state") != "closed"; });
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    table.row({all[i].text("name"), state_words(all[i].text("state")), state_words(all[i].text("applied_state")),
               real_share(all[i]), age_of(document, all[i], "since"),
               all[i].flag("forced") ? "forced by " + all[i].text("forced_by") : all[i].text("reason")},
              state_tone(all[i].text("applied_state")));
  }
  return table.empty() ? "no switches\n" : table.render();
}

std::string lock_rows(const TopFrame& frame, const Style& style, std::size_t most) {
  const ByKey before = members(frame.before, true);
  const double seconds = seconds_between(frame);
  std::vector<std::pair<double, Doc>> all;
  for (const Doc& lock : Doc(*frame.now->locks).list("locks")) {
    if (lock.text("kind") != "condition") {
      const Growth growth(before, lock_key(lock), lock, seconds);
      const double waited = growth.of("wait_seconds", "total");
      all.emplace_back(growth.known() ? growth.per_second(waited) : waited, lock);
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& left, const auto& right) { return left.first > right.first; });
  Table table({{"LOCK", Align::kLeft, Shrink::kMiddle},
               {"WAITS/S", Align::kRight},
               {"WAITED/S", Align::kRight},
               {"NOW", Align::kRight},
               {"P50", Align::kRight, Shrink::kNo, true},
               {"P99", Align::kRight},
               {"MAX", Align::kRight, Shrink::kNo, true},
               {"WAITS IN", Align::kLeft, Shrink::kMiddle},
               {"HELD BY", Align::kLeft, Shrink::kMiddle}},
              style);
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    const Doc& lock = all[i].second;
    const Growth growth(before, lock_key(lock), lock, seconds);
    const Doc wait = lock.at("wait_seconds");
    const double now = lock.number("waiting_now");
    table.row({lock.text("name", lock.text("address")), rate(growth, growth.of("waits")),
               growth.known() ? duration(all[i].first) : "-", count(now), quantile(wait, "p50"), quantile(wait, "p99"),
               duration(wait.number("max")), caller(lock, "waiters"), caller(lock, "holders")},
              now > 0 ? Tone::kWarn : Tone::kPlain);
  }
  return table.empty() ? "no contended locks\n" : table.render();
}

std::string function_rows(const TopFrame& frame, const Style& style, std::size_t most) {
  const ByKey before = members(frame.before, false);
  const double seconds = seconds_between(frame);
  const std::vector<Doc> all = Doc(*frame.now->functions).list("functions");
  Table table({{"FUNCTION", Align::kLeft, Shrink::kMiddle},
               {"CALLS/S", Align::kRight},
               {"NOW", Align::kRight},
               {"P50", Align::kRight, Shrink::kNo, true},
               {"P99", Align::kRight},
               {"MAX", Align::kRight, Shrink::kNo, true},
               {"SLOW", Align::kRight},
               {"ERRORS", Align::kRight},
               {"GUARD", Align::kLeft, Shrink::kMiddle}},
              style);
  for (std::size_t i = 0; i < std::min(most, all.size()); ++i) {
    const Growth growth(before, function_key(all[i]), all[i], seconds);
    const Doc time = all[i].at("duration_seconds");
    table.row({short_function(all[i].text("symbol", all[i].text("name"))), rate(growth, growth.of("calls")),
               count(all[i].number("in_flight")), quantile(time, "p50"), quantile(time, "p99"),
               duration(time.number("max")), share(growth, "slow"), share(growth, "errors"), all[i].text("guard")});
  }
  return table.empty() ? "no guarded functions\n" : table.render();
}

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// The first `rows` lines, for a terminal that is lower than the least view.
std::string top_of(const std::string& text, std::size_t rows) {
  std::size_t end = 0;
  for (; rows > 0 && end < text.size(); --rows) {
    end = text.find('\n', end) + 1;
  }
  return text.substr(0, end);
}

}  // namespace

std::string top_frame(const TopFrame& frame, const Style& style, std::size_t rows) {
  const std::size_t room = rows == 0 ? kPlentyOfRows : rows;
  std::string text = header(frame, style) + "\n";
  // Each part has a title; two empty lines stand between the three. Switches are few and matter most.
  const auto left = [&](std::size_t needed_below) {
    const std::size_t used = lines_of(text) + 1 + needed_below;
    return room > used ? room - used : 1;
  };
  text += switch_rows(frame, style, std::max<std::size_t>(1, left(0) / 3)) + "\n";
  text += lock_rows(frame, style, std::max<std::size_t>(1, left(2) / 2)) + "\n";
  text += function_rows(frame, style, left(0));
  return top_of(text, room);
}

}  // namespace raceguard::ctl
