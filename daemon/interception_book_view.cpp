// SPDX-License-Identifier: Apache-2.0
// Whether it helps: the proofs of races in each phase; and how all is shown.
#include <algorithm>
#include <utility>

#include "daemon/intercept_proposal.h"
#include "daemon/interception_book.h"
#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

using exporting::InterceptionPhase;
using exporting::InterceptionState;

constexpr std::int64_t kAfterNs = 600 * kNsPerSecond;  // its races are still counted for so long
// A proof is told up to a second after it was made: it belongs to the phase that was then.
constexpr std::int64_t kToldLateNs = 1500 * kNsPerMs;

InterceptionPhase phase_at(std::int64_t begun_ns, std::int64_t ended_ns, bool runs, std::int64_t time_ns) {
  if (runs && time_ns >= begun_ns) {
    return InterceptionPhase::kDuring;
  }
  if (ended_ns == 0) {
    return InterceptionPhase::kBefore;
  }
  return !runs && time_ns < ended_ns ? InterceptionPhase::kDuring : InterceptionPhase::kAfter;
}

}  // namespace

bool InterceptionBook::covers(const detect::Interception& figures, const RaceSides& sides) {
  const auto is_intercepted = [&](const RequestedFunction& function) {
    return std::ranges::find(figures.functions, function.name, &detect::InterceptedCalls::name) !=
           figures.functions.end();
  };
  return !sides.empty() &&
         std::ranges::all_of(sides, [&](const auto& side) { return std::ranges::any_of(side, is_intercepted); });
}

// Those that it closes: of the finding that it was begun for, and whatever else is proven between its functions.
void InterceptionBook::add_races(const InterceptionInput& input, const detect::RaceBook& races) {
  if (entries_.empty()) {
    return;
  }
  for (const detect::BookedRacePtr& race : races.list()) {
    const RaceSides sides = sides_of(race->finding);
    if (sides.empty()) {
      continue;
    }
    for (auto& [id, entry] : entries_) {
      const bool is_its = id.cause == InterceptionCause::kFinding && id.name == race->id;
      const bool known = std::ranges::find(entry.races, race->hash, &Race::hash) != entry.races.end();
      if (known || race->guard != id.guard || (!is_its && !covers(entry.view.figures, sides)) ||
          !races.in_process(race->guard, race->hash, id.process)) {
        continue;
      }
      Race added{.id = race->id, .hash = race->hash, .variable = race->finding.variable, .last = {}, .phases = {}};
      // What is known of it was seen before, unless this began long ago.
      if (entry.view.state == InterceptionState::kRunning &&
          input.now.monotonic_ns - entry.begun_ns > 2 * kLookPeriodNs && !is_its) {
        added.last.watched_ns = races.in_process(race->guard, race->hash, id.process)->watched_ns;
      }
      entry.races.push_back(std::move(added));
    }
  }
}

void InterceptionBook::count_proofs(const detect::RaceBook& races, std::int64_t now_ns) {
  for (auto& [id, entry] : entries_) {
    const bool runs = entry.view.state == InterceptionState::kRunning;
    const auto phase = static_cast<std::size_t>(
        phase_at(entry.begun_ns, entry.ended_ns, runs && entry.begun_ns != 0, now_ns - kToldLateNs));
    for (Race& race : entry.races) {
      const auto now = races.in_process(id.guard, race.hash, id.process);
      if (!now) {
        race.last = {};
        continue;
      }
      const bool is_anew = now->count < race.last.count || now->watched_ns < race.last.watched_ns;
      const detect::RaceInProcess before = is_anew ? detect::RaceInProcess{} : race.last;
      const exporting::ProofCount added{.proofs = now->count - before.count,
                                        .watched_ns = now->watched_ns - before.watched_ns};
      for (exporting::ProofCount* to : {&race.phases.at(phase), &sums(id.guard).proofs.at(phase)}) {
        to->proofs += added.proofs;
        to->watched_ns += added.watched_ns;
      }
      race.last = *now;
    }
  }
}

// The oldest of those that are over.
void InterceptionBook::forget() {
  for (;;) {
    auto oldest = entries_.end();
    std::size_t over = 0;
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->second.view.state != InterceptionState::kOver) {
        continue;
      }
      ++over;
      if (oldest == entries_.end() || entry->second.ended_ns < oldest->second.ended_ns) {
        oldest = entry;
      }
    }
    if (over <= kMostOver) {
      break;
    }
    work_.ends.erase(oldest->first);
    entries_.erase(oldest);
  }
}

std::map<targets::ProcessId, std::vector<WantedVariable>> InterceptionBook::wanted() const {
  std::map<targets::ProcessId, std::vector<WantedVariable>> wanted;
  for (const auto& [id, entry] : entries_) {
    const bool is_past = entry.view.state == InterceptionState::kOver &&
                         (entry.ended_ns == 0 || next_look_ns_ - entry.ended_ns > kAfterNs);
    if (is_past) {
      continue;
    }
    for (const Race& race : entry.races) {
      const WantedVariable variable{.name = race.variable.name, .address = race.variable.address};
      auto& of_process = wanted[id.process];
      if (std::ranges::find(of_process, variable) == of_process.end()) {
        of_process.push_back(variable);
      }
    }
  }
  return wanted;
}

exporting::InterceptionView InterceptionBook::shown(const Entry& entry) const {
  exporting::InterceptionView view = entry.view;
  for (const Race& race : entry.races) {
    view.races.push_back({.id = race.id, .variable = race.variable.name, .phases = race.phases});
  }
  return view;
}

exporting::InterceptionsView InterceptionBook::view() const {
  exporting::InterceptionsView all;
  for (const auto& [id, entry] : entries_) {
    all.list.push_back(shown(entry));
  }
  std::ranges::stable_sort(all.list, [](const auto& a, const auto& b) {
    return std::pair(a.state == InterceptionState::kOver, -a.begun_realtime_ns) <
           std::pair(b.state == InterceptionState::kOver, -b.begun_realtime_ns);
  });
  for (const auto& [guard, sums] : sums_) {
    all.guards.push_back(sums);
    all.guards.back().running = static_cast<std::uint64_t>(std::ranges::count_if(entries_, [&](const auto& one) {
      return one.first.guard == guard && one.second.view.state == InterceptionState::kRunning;
    }));
  }
  for (const auto& [key, proposal] : proposals_) {
    if (proposal) {
      all.proposals.push_back(*proposal);
    }
  }
  return all;
}

}  // namespace raceguard::app
