// SPDX-License-Identifier: Apache-2.0
#include "daemon/race_search.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

constexpr std::int64_t kRoundNs = 60 * kNsPerSecond;  // in which each process should have had its turn ...
constexpr std::int64_t kLongestTurnNs = 10 * kNsPerSecond;
constexpr std::int64_t kShortestTurnNs = 2 * kNsPerSecond;  // ... unless they are many: a turn has to find something
constexpr std::int64_t kSettleNs = kNsPerSecond;  // a process that ends at once is not worth reading its symbols
constexpr std::int64_t kRetryNs = 30 * kNsPerSecond;
constexpr std::int64_t kRegistersRetryNs = 5 * kNsPerSecond;  // another tool may have them for a moment
constexpr std::int64_t kTellPeriodNs =
    kNsPerSecond;  // of findings without a new race; they are copied with their stacks
constexpr std::int64_t kIdlePauseNs = 100 * kNsPerMs;
constexpr std::size_t kMostOpen = 8;  // searches that keep symbols and what they learned: some 10 to 100 MiB each

bool same_search(const policy::WatchGuard& a, const policy::WatchGuard& b) {
  const auto variable = [](const policy::WatchedVariable& x, const policy::WatchedVariable& y) {
    return x.name == y.name && x.guarded_by == y.guarded_by;
  };
  const auto object = [](const policy::WatchedObject& x, const policy::WatchedObject& y) {
    return x.function == y.function && x.argument == y.argument && x.members == y.members;
  };
  return a.automatic == b.automatic && a.hold_ns == b.hold_ns && a.budget == b.budget &&
         std::ranges::equal(a.variables, b.variables, variable) && std::ranges::equal(a.objects, b.objects, object);
}

void add_coverage(plan::RotationCoverage& to, const plan::RotationCoverage& more) {
  to.candidates += more.candidates;
  to.visited += more.visited;
  to.touched += more.touched;
  to.shared += more.shared;
  to.armed_ns += more.armed_ns;
  to.bytes += more.bytes;
  to.visited_bytes += more.visited_bytes;
}

void add_note(std::vector<std::string>& notes, const std::string& note) {
  if (!note.empty() && std::find(notes.begin(), notes.end(), note) == notes.end()) {
    notes.push_back(note);
  }
}

}  // namespace

void add_drops(std::vector<std::uint64_t>& to, const std::vector<std::uint64_t>& more) {
  to.resize(std::max(to.size(), more.size()));
  std::transform(more.begin(), more.end(), to.begin(), to.begin(), std::plus<>());
}

void RaceSearch::set_work(SearchWork work) {
  const std::int64_t now_ns = clock_.monotonic_ns();
  const auto stays = [&](const targets::ProcessId& process, const Entry& entry) {
    const auto guard = work.processes.find(process);
    if (guard == work.processes.end() || guard->second != entry.guard) {
      return false;
    }
    const auto settings = work.guards.find(entry.guard);
    return settings != work.guards.end() && same_search(settings->second, work_.guards.at(entry.guard));
  };
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (stays(entry->first, entry->second)) {
      ++entry;
      continue;
    }
    close(entry->first, entry->second);
    entry = entries_.erase(entry);
  }
  for (const auto& [process, guard] : work.processes) {
    if (work.guards.contains(guard)) {
      entries_.try_emplace(process,
                           Entry{.guard = guard, .watch = nullptr, .not_before_ns = now_ns + kSettleNs, .failure = {}});
    }
  }
  work_ = std::move(work);
  for (auto& [process, entry] : entries_) {
    want(process, entry);
  }
}

void RaceSearch::want(const targets::ProcessId& process, Entry& entry) const {
  if (entry.watch) {
    const auto wanted = work_.wanted.find(process);
    entry.watch->want(wanted == work_.wanted.end() ? std::vector<WantedVariable>{} : wanted->second);
  }
}

RaceWatch* RaceSearch::watch_of(pid_t pid) {
  const auto entry = entries_.lower_bound({.pid = pid, .start_ticks = 0});
  return entry != entries_.end() && entry->first.pid == pid ? entry->second.watch.get() : nullptr;
}

void RaceSearch::add_locks(const std::vector<SeenLock>& locks) {
  for (const SeenLock& seen : locks) {
    if (RaceWatch* watch = watch_of(seen.pid); watch != nullptr) {
      watch->add_lock(seen.lock);
    }
  }
}

void RaceSearch::add_objects(const std::vector<SeenObject>& objects) {
  for (const SeenObject& object : objects) {
    if (RaceWatch* watch = watch_of(object.pid); watch != nullptr) {
      watch->see(object);
    }
  }
}

void RaceSearch::step() {
  const std::int64_t now_ns = clock_.monotonic_ns();
  if (entries_.empty()) {
    give_registers_back();
    return;
  }
  if (!registers_) {
    take_registers(now_ns);
  }
  if (!registers_) {
    return;
  }
  if (current_ && now_ns - turn_began_ns_ >= turn_ns() && entries_.size() > 1) {
    end_turn(now_ns);
  }
  if (!current_) {
    begin_turn(now_ns);
  }
  if (!current_) {
    return;
  }
  const targets::ProcessId process = *current_;
  if (auto stepped = entries_.at(process).watch->step(); !stepped) {
    give_up(process, stepped.error(), now_ns);
  }
}

std::int64_t RaceSearch::pause_ns() const { return current_ ? entries_.at(*current_).watch->pause_ns() : kIdlePauseNs; }

void RaceSearch::take_registers(std::int64_t now_ns) {
  if (now_ns < next_try_ns_) {
    return;
  }
  if (!cost_) {  // before the registers are taken: it needs one itself
    cost_ = kernel::calibrate().watchpoint();
  }
  auto watcher = kernel::Watcher::open({});
  if (!watcher) {
    past_.trouble = watcher.error().to_string();
    next_try_ns_ = now_ns + kRegistersRetryNs;
    return;
  }
  past_.trouble.clear();
  registers_ = std::make_unique<WatchRegisters>(WatchRegisters{.watcher = std::move(*watcher)});
}

void RaceSearch::give_registers_back() {
  if (!registers_) {
    return;
  }
  if (auto drops = registers_->watcher.read_drops()) {
    add_drops(past_.drops, *drops);
  }
  registers_.reset();
}

std::int64_t RaceSearch::turn_ns() const {
  return std::clamp(kRoundNs / static_cast<std::int64_t>(entries_.size()), kShortestTurnNs, kLongestTurnNs);
}

RaceSearch::Entries::iterator RaceSearch::next_entry(std::int64_t now_ns) {
  auto next = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const bool sooner = next == entries_.end() || entry->second.last_turn_ns < next->second.last_turn_ns;
    if (entry->second.not_before_ns <= now_ns && sooner) {
      next = entry;
    }
  }
  return next;
}

void RaceSearch::begin_turn(std::int64_t now_ns) {
  const auto next = next_entry(now_ns);
  if (next == entries_.end()) {
    return;
  }
  Entry& entry = next->second;
  current_ = next->first;
  turn_began_ns_ = entry.last_turn_ns = now_ns;
  if (entry.watch) {
    return;
  }
  close_least_recent();
  if (auto opened = open(next->first, entry); !opened) {
    give_up(next->first, opened.error(), now_ns);
    return;
  }
  turn_began_ns_ = entry.last_turn_ns = clock_.monotonic_ns();  // reading the symbols takes its time
}

void RaceSearch::end_turn(std::int64_t now_ns) {
  const targets::ProcessId process = *current_;
  Entry& entry = entries_.at(process);
  entry.last_turn_ns = now_ns;
  if (auto paused = entry.watch->pause(); !paused) {
    give_up(process, paused.error(), now_ns);
    return;
  }
  gather(process, entry);
  current_.reset();
}

Result<void> RaceSearch::open(const targets::ProcessId& process, Entry& entry) {
  const policy::WatchGuard& guard = work_.guards.at(entry.guard);
  RaceWatchOptions options{.pid = process.pid,
                           .hold_ns = guard.hold_ns,
                           .budget = guard.budget,
                           .cost = *cost_,
                           .automatic = guard.automatic,
                           .variables = {},
                           .missing_is_noted = true};
  for (const policy::WatchedVariable& variable : guard.variables) {
    options.variables.push_back(variable.name);
    if (!variable.guarded_by.empty()) {
      options.guarded_by[variable.name] = variable.guarded_by;
    }
  }
  auto watch = RaceWatch::open(options, *registers_, clock_);
  if (!watch) {
    return fail(std::move(watch.error()));
  }
  if ((*watch)->process() != process) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} ended", process.pid));
  }
  entry.watch = std::move(*watch);
  entry.serial = next_serial_++;
  entry.failure.clear();
  want(process, entry);
  return {};
}

void RaceSearch::close(const targets::ProcessId& process, Entry& entry) {
  if (current_ == process) {
    current_.reset();
    if (entry.watch) {
      static_cast<void>(entry.watch->pause());  // its end disarms nothing; of a process that is gone nothing is hit
    }
  }
  if (entry.watch) {
    gather(process, entry);
    add_cost(past_, entry);
    entry.watch.reset();
  }
}

void RaceSearch::close_least_recent() {
  const auto open =
      std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry.second.watch != nullptr; });
  if (static_cast<std::size_t>(open) < kMostOpen) {
    return;
  }
  auto oldest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.watch && (oldest == entries_.end() || entry->second.last_turn_ns < oldest->second.last_turn_ns)) {
      oldest = entry;
    }
  }
  close(oldest->first, oldest->second);
}

void RaceSearch::give_up(const targets::ProcessId& process, const Error& error, std::int64_t now_ns) {
  Entry& entry = entries_.at(process);
  close(process, entry);
  entry.not_before_ns = now_ns + kRetryNs;
  // The one that ended leaves with the next set_work().
  entry.failure = error.code() == ErrorCode::kTargetGone ? std::string() : error.to_string();
}

void RaceSearch::gather(const targets::ProcessId& process, const Entry& entry) {
  found_[process] = {.guard = entry.guard, .serial = entry.serial, .findings = entry.watch->findings()};
}

std::map<targets::ProcessId, ProcessFindings> RaceSearch::take_findings() {
  if (current_) {
    Entry& entry = entries_.at(*current_);
    const std::uint64_t races = entry.watch->judged().races;
    const std::int64_t now_ns = clock_.monotonic_ns();
    if (races != entry.races_told || now_ns - entry.told_ns >= kTellPeriodNs) {
      entry.races_told = races;
      entry.told_ns = now_ns;
      gather(*current_, entry);
    }
  }
  return std::exchange(found_, {});
}

void RaceSearch::add_cost(SearchState& to, const Entry& entry) const {
  const detect::RaceCost cost = entry.watch->cost();
  to.hits += cost.hits;
  to.holds += cost.holds;
  to.samples += cost.samples;
  to.hold_ns += cost.hold_ns;
  to.armed_ns += entry.watch->coverage().armed_ns;
}

SearchState RaceSearch::state() const {
  SearchState state = past_;
  if (registers_) {
    state.registers = registers_->watcher.slots();
    if (auto drops = registers_->watcher.read_drops()) {
      add_drops(state.drops, *drops);
    }
  }
  for (const auto& [process, entry] : entries_) {
    GuardSearch& guard = state.guards[entry.guard];
    ++guard.processes;
    if (!entry.failure.empty()) {
      add_note(guard.notes, fmt::format("process {} is not searched: {}", process.pid, entry.failure));
    }
    if (!entry.watch) {
      continue;
    }
    add_cost(state, entry);
    add_coverage(guard.coverage, entry.watch->coverage());
    for (const std::string& note : entry.watch->notes()) {
      add_note(guard.notes, note);
    }
  }
  return state;
}

}  // namespace raceguard::app
