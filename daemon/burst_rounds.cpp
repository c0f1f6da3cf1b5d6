// SPDX-License-Identifier: Apache-2.0
#include "daemon/burst_rounds.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

constexpr std::size_t kLocksInReport = 20;
constexpr std::size_t kMostNotes = 8;  // of a guard
constexpr std::int64_t kLongestPauseNs = 3600 * kNsPerSecond;

bool concerns_one_process(const Error& error) {
  return error.code() == ErrorCode::kTargetGone || error.code() == ErrorCode::kTargetUnreadable ||
         error.code() == ErrorCode::kSymbolNotFound;
}

}  // namespace

void BurstRounds::set_work(BurstWork work) {
  trouble_.clear();  // tried again
  std::map<targets::ProcessId, Turn> turns;
  for (const auto& [id, guard] : work.processes) {
    const auto known = turns_.find(id);
    const bool same =
        known != turns_.end() && known->second.guard == guard && work_.guards.at(guard) == work.guards.at(guard);
    Turn& turn = turns[id];
    if (same) {
      turn = std::move(known->second);
    } else {
      turn.guard = guard;
      turn.next_ns = clock_.monotonic_ns();
    }
  }
  turns_ = std::move(turns);
  std::erase_if(totals_, [&](const auto& entry) { return !work.guards.contains(entry.first); });
  for (const auto& [name, settings] : work.guards) {
    totals_[name].guard = name;
    totals_[name].limit = settings.budget;
  }
  work_ = std::move(work);
  if (turns_.empty()) {
    source_.rest();
  }
}

std::int64_t BurstRounds::pause_ns() const {
  std::int64_t soonest_ns = clock_.monotonic_ns() + kLongestPauseNs;
  if (idle()) {
    return kLongestPauseNs;
  }
  for (const auto& [id, turn] : turns_) {
    soonest_ns = turn.refusal.empty() ? std::min(soonest_ns, turn.next_ns) : soonest_ns;
  }
  return std::max<std::int64_t>(soonest_ns - clock_.monotonic_ns(), 0);
}

void BurstRounds::step(const std::function<bool()>& goes_on) {
  auto due = turns_.end();
  for (auto turn = turns_.begin(); turn != turns_.end(); ++turn) {
    if (turn->second.refusal.empty() && (due == turns_.end() || turn->second.next_ns < due->second.next_ns)) {
      due = turn;
    }
  }
  if (!trouble_.empty() || due == turns_.end() || due->second.next_ns > clock_.monotonic_ns()) {
    return;
  }
  Turn& turn = due->second;
  if (turn.subject == nullptr && !make_place()) {
    turn.next_ns = clock_.monotonic_ns() + interval_ns(turn);
  } else if (turn.subject != nullptr || open(due->first, turn)) {
    burst(due->first, turn, goes_on);
  }
}

bool BurstRounds::make_place() {
  std::size_t taken = 0;
  Turn* longest = nullptr;
  for (auto& [id, turn] : turns_) {
    if (turn.subject != nullptr) {
      ++taken;
      longest = longest == nullptr || turn.bursts > longest->bursts ? &turn : longest;
    }
  }
  if (taken < kMostProcesses) {
    return true;
  }
  if (longest->bursts < kTurnBursts) {
    return false;
  }
  longest->subject.reset();
  longest->report.reset();
  return true;
}

bool BurstRounds::open(const targets::ProcessId& id, Turn& turn) {
  auto subject = source_.open(id, work_.guards.at(turn.guard).budget);
  if (!subject) {
    refuse(id, turn, subject.error());
    return false;
  }
  turn.subject = std::move(*subject);
  turn.bursts = 0;
  turn.counted = {};
  return true;
}

// A process that ended leaves the work as soon as the loop hears of it; one that runs another program now is a new one.
void BurstRounds::refuse(const targets::ProcessId& id, Turn& turn, const Error& error) {
  turn.subject.reset();
  turn.report.reset();
  turn.next_ns = clock_.monotonic_ns() + interval_ns(turn);
  if (!concerns_one_process(error)) {
    trouble_ = error.to_string();
  } else if (error.code() != ErrorCode::kTargetGone) {
    turn.refusal = fmt::format("process {}: {}", id.pid, error.to_string());
  }
}

void BurstRounds::burst(const targets::ProcessId& id, Turn& turn, const std::function<bool()>& goes_on) {
  const auto done = turn.subject->burst(goes_on);
  count(turn);
  if (!done) {
    refuse(id, turn, done.error());
    return;
  }
  ++turn.bursts;
  turn.next_ns = clock_.monotonic_ns() + std::max(interval_ns(turn), turn.subject->pause_ns());
  auto report = turn.subject->report(kLocksInReport);
  if (!report) {
    refuse(id, turn, report.error());
    return;
  }
  report->guard = turn.guard;
  turn.report = std::make_shared<const detect::LockReport>(std::move(*report));
}

void BurstRounds::count(Turn& turn) {
  exporting::GuardBurstView& sum = totals_.at(turn.guard);
  const detect::BurstCost& now = turn.subject->cost();
  const detect::BurstCost& before = turn.counted;
  sum.bursts += now.bursts - before.bursts;
  sum.hits += now.hits - before.hits;
  sum.foreign_hits += now.foreign_hits - before.foreign_hits;
  sum.ended_early += now.ended_early - before.ended_early;
  sum.doubted_orders += now.doubted_orders - before.doubted_orders;
  sum.on_ns += now.on_ns - before.on_ns;
  sum.cost_ns += now.cost_ns - before.cost_ns;
  sum.cpu_ns += std::max<std::int64_t>(now.cpu_ns - before.cpu_ns, 0);
  turn.counted = now;
}

exporting::BurstView BurstRounds::view() const {
  exporting::BurstView view{.wanted = true, .trouble = trouble_, .guards = {}, .reports = {}, .drops = source_.drops()};
  auto guards = totals_;
  for (const auto& [id, turn] : turns_) {
    exporting::GuardBurstView& guard = guards.at(turn.guard);
    guard.processes += turn.subject != nullptr ? 1 : 0;
    guard.waiting += turn.subject == nullptr && turn.refusal.empty() ? 1 : 0;
    if (!turn.refusal.empty() && guard.notes.size() < kMostNotes) {
      guard.notes.push_back(turn.refusal);
    }
    if (turn.report != nullptr) {
      guard.cycles += turn.report->cycles.size();
      view.reports.push_back(turn.report);
    }
  }
  for (auto& [name, guard] : guards) {
    view.guards.push_back(std::move(guard));
  }
  return view;
}

}  // namespace raceguard::app
