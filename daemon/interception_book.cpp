// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception_book.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "daemon/intercept_proposal.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

using exporting::InterceptionEvent;
using exporting::InterceptionState;

constexpr std::int64_t kNoRoomNs = kNsPerSecond;

bool is_at_work(InterceptionState state) {
  return state == InterceptionState::kStarting || state == InterceptionState::kRunning;
}

// Whatever they are called with, no two of its calls overlap anywhere.
bool is_plain(const detect::Interception& figures) {
  return std::ranges::all_of(figures.functions, [](const auto& function) {
    return !function.is_reader && function.is_whole && function.key == "none";
  });
}

bool is_same_function(const RequestedFunction& one, const RequestedFunction& other) {
  return one.name == other.name && one.binary == other.binary;
}

// Of a race between the same two functions, or of more.
bool same_sides(const RaceSides& a, const RaceSides& b) {
  const auto has = [&](const std::vector<RequestedFunction>& side) {
    return std::ranges::any_of(a, [&](const auto& other) {
      return !side.empty() && !other.empty() && is_same_function(side.front(), other.front());
    });
  };
  return !b.empty() && std::ranges::all_of(b, has);
}

// Accesses of `more` in the functions of `sides` are added; false: there is none that was not there.
bool add_accesses(RaceSides& sides, const RaceSides& more) {
  bool added = false;
  for (RequestedFunction& function : sides | std::views::join) {
    for (const RequestedFunction& other : more | std::views::join) {
      for (const std::uint64_t access : other.accesses) {
        if (is_same_function(function, other) &&
            std::ranges::find(function.accesses, access) == function.accesses.end()) {
          function.accesses.push_back(access);
          added = true;
        }
      }
    }
    std::ranges::sort(function.accesses);
  }
  return added;
}

bool same_request(const InterceptRequest& a, const InterceptRequest& b) {
  return a.functions == b.functions && a.wait_ns == b.wait_ns && a.budget == b.budget;
}

InterceptRequest request_of(const policy::SerializePolicy& serialize, pid_t pid) {
  InterceptRequest request;
  request.pid = pid;
  request.functions.assign(serialize.parsed.begin(), serialize.parsed.end());
  request.wait_ns = serialize.wait_ns;
  request.budget = serialize.budget;
  return request;
}

// A watch's bounds, of what it keeps apart by itself.
void set_bounds(InterceptRequest& request, const policy::WatchGuard& watch) {
  request.wait_ns = watch.serialize_wait_ns;
  request.budget = watch.serialize_budget;
}

std::string_view shown_state(breaker::State state) {
  return state == breaker::State::kOpen ? "open" : state == breaker::State::kHalfOpen ? "half-open" : "closed";
}

}  // namespace

void InterceptionBook::reload(const policy::Policy& policy) {
  watches_.clear();
  switches_.clear();
  std::map<std::string, exporting::GuardInterceptionsView> sums;
  for (const policy::Guard& guard : policy.guards) {
    bool any = guard.watch.wanted();
    if (guard.watch.wanted()) {
      watches_[guard.name] = guard.watch;
    }
    for (const policy::SwitchPolicy& one : guard.switches) {
      if (one.serialize) {
        switches_[one.name] = {guard.name, *one.serialize};
        any = true;
      }
    }
    if (any) {
      sums[guard.name] = sums_.contains(guard.name) ? sums_.at(guard.name) : exporting::GuardInterceptionsView{};
      sums[guard.name].guard = guard.name;
    }
  }
  sums_ = std::move(sums);
  std::erase_if(proposals_, [&](const auto& one) { return !watches_.contains(one.first.first); });
  std::erase_if(observed_, [&](const auto& one) { return !switches_.contains(one.first); });
  for (auto& [id, entry] : entries_) {
    const auto watch = watches_.find(id.guard);
    const InterceptRequest before = entry.request;
    if (id.cause != InterceptionCause::kFinding || watch == watches_.end()) {
      continue;
    }
    set_bounds(entry.request, watch->second);
    if (!same_request(entry.request, before) && work_.orders.contains(id)) {
      begin(id, entry);
    }
  }
}

std::size_t InterceptionBook::at_work() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(entries_, [](const auto& one) { return is_at_work(one.second.view.state); }));
}

void InterceptionBook::step(const InterceptionInput& input, const detect::RaceBook& races) {
  follow_switches(input);
  for (const detect::BookedRacePtr& race : input.proven) {
    on_proven(*race, input);
  }
  for (auto& [id, entry] : entries_) {
    judge(id, entry, input);
  }
  if (input.now.monotonic_ns >= next_look_ns_) {
    next_look_ns_ = input.now.monotonic_ns + kLookPeriodNs;
    add_races(input, races);
    count_proofs(races, input.now.monotonic_ns);
    forget();
  }
}

void InterceptionBook::follow_switches(const InterceptionInput& input) {
  for (const SwitchCondition& condition : input.switches) {
    const auto found = switches_.find(condition.name);
    if (found == switches_.end()) {
      continue;
    }
    const auto& [guard, serialize] = found->second;
    const breaker::State before = std::exchange(observed_[condition.name], condition.state);
    if (condition.state == breaker::State::kOpen && condition.applied != condition.state && before != condition.state) {
      Entry entry;
      entry.view.guard = guard;
      entry.view.name = condition.name;
      for (const policy::RequestedFunction& function : serialize.parsed) {
        entry.view.figures.functions.emplace_back().name = function.name;
      }
      record(InterceptionEvent::kObserved, entry, "the switch is open, but in mode observe, or held back");
    }
    if (condition.applied != breaker::State::kOpen) {
      continue;
    }
    for (const auto& [process, of_guard] : processes_) {
      if (of_guard != guard) {
        continue;
      }
      const InterceptionId id{
          .guard = guard, .cause = InterceptionCause::kSwitch, .name = condition.name, .process = process};
      const auto [entry, is_new] = entries_.try_emplace(id);
      const InterceptRequest request = request_of(serialize, process.pid);
      if (is_new || entry->second.view.state == InterceptionState::kOver ||
          !same_request(entry->second.request, request)) {
        entry->second.request = request;
        begin(id, entry->second);
      }
    }
  }
}

// Starts it, or has the thread start it anew.
void InterceptionBook::begin(const InterceptionId& id, Entry& entry) {
  exporting::InterceptionView& view = entry.view;
  view.guard = id.guard;
  view.cause = id.cause;
  view.name = id.name;
  view.pid = id.process.pid;
  view.why.clear();
  view.next_try_realtime_ns = 0;
  entry.next_try_ns = 0;
  if (!work_.orders.contains(id)) {
    view.state = InterceptionState::kResting;  // until judge() finds room
    return;
  }
  view.state = InterceptionState::kStarting;
  order(id, entry);
}

void InterceptionBook::order(const InterceptionId& id, Entry& entry) {
  work_.ends.erase(id);
  work_.orders[id] = {.attempt = ++entry.attempt, .request = entry.request, .sides = entry.sides};
  work_changed_ = true;
}

// It closes, or will, a race with these sides.
bool InterceptionBook::stands_for(const Entry& entry, const RaceSides& sides) {
  return (is_plain(entry.view.figures) && covers(entry.view.figures, sides)) || same_sides(entry.sides, sides);
}

void InterceptionBook::on_proven(const detect::BookedRace& race, const InterceptionInput& input) {
  const auto watch = watches_.find(race.guard);
  const auto process = std::ranges::find_if(processes_, [&](const auto& one) { return one.first.pid == race.pid; });
  RaceSides sides = sides_of(race.finding);
  if (watch == watches_.end() || process == processes_.end() || sides.empty()) {
    return;
  }
  if (watch->second.on_proven_race == policy::OnProvenRace::kPropose) {
    propose(race, process->first);
    return;
  }
  Entries::iterator entry = entries_.end();
  for (auto one = entries_.begin(); one != entries_.end(); ++one) {
    if (one->first.process == process->first && stands_for(one->second, sides)) {
      if (one->second.view.state != InterceptionState::kOver) {
        widen(one->first, one->second, sides);
        return;  // also one that rests, because it costs too much
      }
      if (one->first.cause == InterceptionCause::kFinding) {
        entry = one;
      }
    }
  }
  if (entry == entries_.end()) {
    entry =
        entries_
            .try_emplace(
                {.guard = race.guard, .cause = InterceptionCause::kFinding, .name = race.id, .process = process->first})
            .first;
    entry->second.sides = std::move(sides);
    entry->second.request.pid = race.pid;
  } else {
    add_accesses(entry->second.sides, sides);
  }
  set_bounds(entry->second.request, watch->second);
  entry->second.until_ns = input.now.monotonic_ns + watch->second.serialize_for_ns;
  entry->second.view.until_realtime_ns = input.now.realtime_ns + watch->second.serialize_for_ns;
  begin(entry->first, entry->second);
}

// A race elsewhere in functions that are kept apart inside only is still open.
void InterceptionBook::widen(const InterceptionId& id, Entry& entry, const RaceSides& sides) {
  const auto& functions = entry.view.figures.functions;
  const bool is_inside =
      std::ranges::any_of(functions, [](const detect::InterceptedCalls& function) { return !function.is_whole; });
  if (entry.view.state == InterceptionState::kRunning && is_inside && add_accesses(entry.sides, sides)) {
    begin(id, entry);
  }
}

void InterceptionBook::propose(const detect::BookedRace& race, const targets::ProcessId& process) {
  const std::pair key{race.guard, race.id};
  if (proposals_.contains(key)) {
    return;
  }
  if (proposals_.size() >= kMostProposals) {
    proposals_.erase(proposals_.begin());
  }
  proposals_[key] = std::nullopt;
  proposal_orders_.push_back(
      {.guard = race.guard, .finding = race.id, .process = process, .sides = sides_of(race.finding)});
}

std::string InterceptionBook::unwanted(const InterceptionId& id, const Entry& entry,
                                       const InterceptionInput& input) const {
  const auto process = processes_.find(id.process);
  if (process == processes_.end() || process->second != id.guard) {
    return "the process ended, or is guarded no longer";
  }
  if (id.cause == InterceptionCause::kFinding) {
    const auto watch = watches_.find(id.guard);
    if (watch == watches_.end() || watch->second.on_proven_race != policy::OnProvenRace::kSerialize) {
      return "the policy asks for it no longer";
    }
    return input.now.monotonic_ns >= entry.until_ns ? "its time was over" : "";
  }
  const auto serialize = switches_.find(id.name);
  if (serialize == switches_.end() || serialize->second.first != id.guard) {
    return "the policy asks for it no longer";
  }
  const auto condition = std::ranges::find(input.switches, id.name, &SwitchCondition::name);
  const breaker::State state = condition == input.switches.end() ? breaker::State::kClosed : condition->applied;
  return state == breaker::State::kOpen ? "" : fmt::format("the switch is {}", shown_state(state));
}

void InterceptionBook::judge(const InterceptionId& id, Entry& entry, const InterceptionInput& input) {
  if (entry.view.state == InterceptionState::kOver) {
    return;
  }
  std::string why = unwanted(id, entry, input);
  const bool is_over = !why.empty();
  if (!is_over && input.fuse_open) {
    why = "the fuse is open: all probes are off";
  }
  if (!why.empty()) {
    if (work_.orders.erase(id) > 0) {
      work_.ends[id] = why;
      work_changed_ = true;
    }
    entry.view.state = is_over ? InterceptionState::kOver : InterceptionState::kResting;
    entry.view.why = why;
    entry.view.next_try_realtime_ns = 0;
    return;
  }
  if (entry.view.state != InterceptionState::kResting || input.now.monotonic_ns < entry.next_try_ns) {
    return;
  }
  if (at_work() >= kMostAtOnce) {
    rest(entry, input.now, kNoRoomNs, fmt::format("{} others go on: no more at once", kMostAtOnce));
    return;
  }
  entry.view.state = InterceptionState::kStarting;
  entry.view.why.clear();
  entry.view.next_try_realtime_ns = 0;
  order(id, entry);
}

}  // namespace raceguard::app
