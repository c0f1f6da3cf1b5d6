// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/watch_rotation.h"

#include <algorithm>

#include "raceguard/clock.h"

namespace raceguard::plan {
namespace {

constexpr unsigned kMostDoublings = 5;
constexpr std::int64_t kScarceVisit = 5;   // times shorter
constexpr std::int64_t kScarceHolds = 10;  // the same, of an address where holds may prove something

constexpr std::int64_t kWantedRestNs = kNsPerSecond;

std::int64_t doubled(std::int64_t rest_ns, unsigned times) { return rest_ns << std::min(times, kMostDoublings); }

bool named(const WatchCandidate& candidate) {
  return candidate.source == WatchSource::kNamed || candidate.source == WatchSource::kObject;
}

// What changes between two snapshots has a writer, though no visit may have met it yet.
bool is_written(const WatchCandidate& candidate, const WatchOutcome& outcome) {
  return outcome.writes || candidate.source == WatchSource::kChanged;
}

// How long an address rests after a visit; longer each time that the same came out.
std::int64_t rest_ns(const WatchCandidate& candidate, const WatchOutcome& outcome, unsigned fruitless) {
  if (outcome.failed) {
    return doubled(5'000 * kNsPerMs, fruitless);
  }
  if (outcome.wanted) {
    return kWantedRestNs;
  }
  if (outcome.proven) {
    return doubled(1'000 * kNsPerMs, fruitless);  // other pairs of sites may race there too
  }
  if (outcome.harmless) {
    return doubled(5'000 * kNsPerMs, fruitless);
  }
  if (outcome.threads >= 2 && is_written(candidate, outcome)) {
    return fruitless < 3 ? 0 : doubled(500 * kNsPerMs, fruitless - 3);  // dozens of holds each, and nobody came
  }
  if (named(candidate)) {
    return doubled(20 * kNsPerMs, fruitless);
  }
  return doubled(outcome.hits > 0 ? 2'000 * kNsPerMs : 1'000 * kNsPerMs, fruitless);
}

}  // namespace

void WatchRotation::count(const State& state, int sign) {
  const auto add = [sign](auto& sum, bool when, std::uint64_t value = 1) {
    if (when) {
      sum = sign > 0 ? sum + value : sum - value;
    }
  };
  add(coverage_.candidates, true);
  add(coverage_.visited, state.visited);
  add(coverage_.touched, state.touched);
  add(coverage_.shared, state.shared);
  add(coverage_.bytes, true, state.candidate.length);
  add(coverage_.visited_bytes, state.visited, state.candidate.length);
}

void WatchRotation::enqueue(State& state, Rank rank, std::int64_t due_ns) {
  state.rank = rank;
  state.due_ns = due_ns;
  queues_.at(static_cast<std::size_t>(rank)).emplace(due_ns, state.candidate.address);
}

void WatchRotation::dequeue(const State& state) {
  queues_.at(static_cast<std::size_t>(state.rank)).erase({state.due_ns, state.candidate.address});
}

bool WatchRotation::offer(const WatchCandidate& candidate, std::int64_t now_ns) {
  const auto found = states_.find(candidate.address);
  if (found == states_.end()) {
    if (states_.size() >= max_candidates_) {
      return false;
    }
    State& state = states_[candidate.address];
    state.candidate = candidate;
    const bool changed = candidate.source != WatchSource::kGlobal;
    enqueue(state,
            named(candidate)   ? Rank::kNamed
            : candidate.shared ? Rank::kShared
            : changed          ? Rank::kChanged
                               : Rank::kNew,
            now_ns);
    count(state, 1);
    return true;
  }
  State& state = found->second;
  if (candidate.source == WatchSource::kChanged && !named(state.candidate)) {
    state.candidate.source = WatchSource::kChanged;
  }
  const bool wakes = !state.armed && !state.harmless && (state.rank == Rank::kNew || state.rank == Rank::kResting);
  if (wakes && candidate.source != WatchSource::kGlobal && !(state.visited && state.touched)) {
    dequeue(state);
    enqueue(state, candidate.shared ? Rank::kShared : Rank::kChanged, now_ns);
  }
  return true;
}

void WatchRotation::withdraw(std::uint64_t address) {
  const auto found = states_.find(address);
  if (found == states_.end()) {
    return;
  }
  if (!found->second.armed) {
    dequeue(found->second);
  }
  count(found->second, -1);
  states_.erase(found);
}

void WatchRotation::wake(std::uint64_t address, std::int64_t now_ns) {
  const auto found = states_.find(address);
  if (found != states_.end() && !found->second.armed) {
    dequeue(found->second);
    enqueue(found->second, Rank::kNamed, now_ns);
  }
}

std::optional<std::uint64_t> WatchRotation::first_due(std::int64_t now_ns) const {
  for (const Queue& queue : queues_) {
    if (!queue.empty() && std::get<0>(*queue.begin()) <= now_ns) {
      return std::get<1>(*queue.begin());
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> WatchRotation::longest_waiting(std::int64_t now_ns) const {
  std::optional<std::tuple<std::int64_t, std::uint64_t>> oldest;
  for (const Queue& queue : queues_) {
    if (!queue.empty() && (!oldest || *queue.begin() < *oldest)) {
      oldest = *queue.begin();
    }
  }
  return oldest && std::get<0>(*oldest) <= now_ns ? std::optional(std::get<1>(*oldest)) : std::nullopt;
}

std::optional<WatchCandidate> WatchRotation::take(std::int64_t now_ns) {
  auto address = ++takes_ % 4 == 0 ? longest_waiting(now_ns) : first_due(now_ns);
  const Queue& shared = queues_.at(static_cast<std::size_t>(Rank::kShared));
  if (!address && !shared.empty()) {
    address = std::get<1>(*shared.begin());  // better than an idle register
  }
  if (!address) {
    return std::nullopt;
  }
  State& state = states_.at(*address);
  dequeue(state);
  state.armed = true;
  return state.candidate;
}

void WatchRotation::give_back(const WatchCandidate& candidate, const WatchOutcome& outcome, std::int64_t armed_ns,
                              std::int64_t now_ns) {
  coverage_.armed_ns += armed_ns;
  const auto found = states_.find(candidate.address);
  if (found == states_.end() || !found->second.armed) {
    return;  // withdrawn meanwhile
  }
  State& state = found->second;
  count(state, -1);
  const bool same =
      state.visited && state.harmless == outcome.harmless && state.shared == (outcome.threads >= 2) && !outcome.proven;
  state.fruitless = same ? state.fruitless + 1 : outcome.proven ? state.fruitless + 1 : 0;
  state.armed = false;
  state.visited = true;
  state.touched = outcome.hits > 0;
  state.shared = outcome.threads >= 2;
  state.harmless = outcome.hits > 0 && outcome.harmless;
  count(state, 1);
  const bool promising =
      state.shared && is_written(state.candidate, outcome) && !outcome.harmless && !outcome.proven && !outcome.failed;
  const Rank rank = outcome.wanted     ? Rank::kNamed
                    : promising        ? Rank::kShared
                    : named(candidate) ? Rank::kNamed
                                       : Rank::kResting;
  enqueue(state, rank, now_ns + rest_ns(state.candidate, outcome, state.fruitless));
}

std::int64_t WatchRotation::dwell_ns(const WatchCandidate& candidate, const WatchOutcome& so_far, bool is_scarce) {
  if (is_scarce) {
    return dwell_ns(candidate, so_far, false) / (so_far.threads < 2 ? kScarceVisit : kScarceHolds);
  }
  if (so_far.proven || so_far.failed) {
    return 0;
  }
  if (so_far.hits == 0) {
    return (named(candidate) ? 200 : 25) * kNsPerMs;
  }
  if (so_far.threads < 2) {
    return (named(candidate) ? 400 : 60) * kNsPerMs;
  }
  return so_far.harmless || !is_written(candidate, so_far) ? 100 * kNsPerMs : 500 * kNsPerMs;
}

RotationCoverage WatchRotation::coverage() const { return coverage_; }

}  // namespace raceguard::plan
