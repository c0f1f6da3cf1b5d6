// SPDX-License-Identifier: Apache-2.0
// The part of the search that moves the address registers: which address each has, what it saw, and what it may cost.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

#include "daemon/race_watch.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kLookPeriodNs = 10 * kNsPerMs;  // reading what an armed slot saw
constexpr double kSavingsNs = 5.0 * kNsPerMs;          // tokens that may be saved for a burst of hits
constexpr unsigned kMostHitsAtOnce = 64;               // per CPU and slot

detect::SiteCounts counts_of(const kernel::AccessSiteReading& reading) {
  detect::SiteCounts counts;
  counts.ip = reading.key.ip;
  counts.count = reading.site.count;
  counts.threads = reading.site.other_tid != 0 ? 2 : 1;
  std::copy(std::begin(reading.site.held), std::end(reading.site.held), counts.held.begin());
  std::copy(std::begin(reading.site.broken), std::end(reading.site.broken), counts.broken.begin());
  return counts;
}

unsigned threads_of(const std::vector<kernel::AccessSiteReading>& sites) {
  std::set<std::uint32_t> tids;
  for (const kernel::AccessSiteReading& reading : sites) {
    tids.insert(reading.site.first_tid);
    if (reading.site.other_tid != 0) {
      tids.insert(reading.site.other_tid);
    }
  }
  return static_cast<unsigned>(std::min<std::size_t>(tids.size(), 2));
}

}  // namespace

void RaceWatch::charge(Slot& slot, const rg_watch_figures& now) {
  const std::uint64_t hits = now.hits - slot.last.hits;
  const std::uint64_t foreign = now.foreign_hits - slot.last.foreign_hits;
  const std::uint64_t hold_ns = now.hold_ns - slot.last.hold_ns;
  cost_.hits += hits;
  cost_.foreign_hits += foreign;
  cost_.holds += now.holds - slot.last.holds;
  cost_.hold_ns += static_cast<std::int64_t>(hold_ns);
  tokens_ns_ -= static_cast<double>(hits + foreign) * options_.cost.hit_ns + static_cast<double>(hold_ns);
  slot.last = now;
}

Result<void> RaceWatch::step_slot(unsigned index, std::int64_t now_ns) {
  Slot& slot = slots_[index];
  if (slot.is_code) {
    return step_code(index, now_ns);
  }
  if (!slot.candidate) {
    return arm(index, now_ns);
  }
  if (resting_) {
    return {};
  }
  const auto figures = registers_.watcher.read_figures(index);
  if (!figures) {
    return fail(figures.error());
  }
  charge(slot, *figures);
  slot.outcome.hits = figures->hits - slot.at_arm.hits;
  slot.outcome.proven = judge_.proven(slot.generation);
  if (slot.outcome.hits > 0 && now_ns - slot.looked_ns >= kLookPeriodNs) {
    if (auto looked = look(slot, now_ns); !looked) {
      return looked;
    }
  }
  if (slot.armed_ns >= plan::WatchRotation::dwell_ns(*slot.candidate, slot.outcome, armed_time_.is_limited())) {
    if (auto given = give_back(index, now_ns); !given) {
      return given;
    }
    return arm(index, now_ns);
  }
  return {};
}

void RaceWatch::note(Slot& slot, const std::vector<kernel::AccessSiteReading>& sites) const {
  slot.outcome.threads = threads_of(sites);
  slot.outcome.harmless = judge_.harmless(slot.generation);
  slot.outcome.writes = judge_.written(slot.generation);
}

Result<void> RaceWatch::look(Slot& slot, std::int64_t now_ns) {
  slot.looked_ns = now_ns;
  const auto sites = registers_.watcher.read_sites(slot.generation);
  if (!sites) {
    return fail(sites.error());
  }
  note(slot, *sites);
  return {};
}

Result<void> RaceWatch::arm(unsigned index, std::int64_t now_ns) {
  Slot& slot = slots_[index];
  if (const auto instruction = code_has_turn(index) ? sampler_->next_instruction(now_ns) : std::nullopt) {
    return arm_code(index, *instruction, now_ns);
  }
  if (is_for_code(index) || !may_arm_) {
    return {};
  }
  const auto candidate = rotation_.take(now_ns);
  if (!candidate) {
    return {};
  }
  const std::uint64_t generation = registers_.next_generation++;
  detect::WatchSubject subject = subjects_.subject(*candidate);
  if (auto member = objects_.member_at(candidate->address)) {
    subject.variable = std::move(*member);
  }
  const bool is_wanted = std::ranges::find(wanted_, subject.variable.name, &WantedVariable::name) != wanted_.end();
  kernel::WatchOrder order{.generation = generation,
                           .tgid = id_.pid,
                           .address = candidate->address,
                           .length = candidate->length,
                           .locks = {}};
  for (const detect::CandidateLock& lock : subject.locks) {
    order.locks.push_back({.address = lock.address, .kind = static_cast<rg_u32>(lock.kind), .pad = 0});
  }
  if (const auto armed = registers_.watcher.arm(index, order); !armed) {
    rotation_.give_back(*candidate, {.failed = true}, 0, now_ns);
    return fail(armed.error());
  }
  const auto figures = registers_.watcher.read_figures(index);
  if (!figures) {
    return fail(figures.error());
  }
  judge_.begin(generation, std::move(subject));
  slot = Slot{.candidate = candidate,
              .generation = generation,
              .since_ns = now_ns,
              .armed_ns = 0,
              .looked_ns = now_ns,
              .at_arm = *figures,
              .last = *figures,
              .outcome = {},
              .is_wanted = is_wanted};
  return {};
}

Result<void> RaceWatch::give_back(unsigned index, std::int64_t now_ns) {
  Slot& slot = slots_[index];
  if (auto disarmed = registers_.watcher.disarm(index); !disarmed) {
    return disarmed;
  }
  if (auto drained = drain(); !drained) {
    return drained;
  }
  if (slot.outcome.hits > 0) {
    const auto sites = registers_.watcher.read_sites(slot.generation);
    if (!sites) {
      return fail(sites.error());
    }
    std::vector<detect::SiteCounts> counts;
    std::transform(sites->begin(), sites->end(), std::back_inserter(counts), counts_of);
    judge_.judge_locks(slot.generation, counts, clock_.realtime_ns());
    note(slot, *sites);
    slot.outcome.proven = judge_.proven(slot.generation);
    if (auto forgotten = registers_.watcher.forget_sites(slot.generation); !forgotten) {
      return forgotten;
    }
  }
  judge_.end(slot.generation, slot.armed_ns);
  slot.outcome.wanted = slot.is_wanted;
  rotation_.give_back(*slot.candidate, slot.outcome, slot.armed_ns, now_ns);
  slot = Slot{};
  return {};
}

void RaceWatch::want(std::vector<WantedVariable> variables) {
  for (const WantedVariable& variable : variables) {
    if (std::ranges::find(wanted_, variable) == wanted_.end()) {
      rotation_.wake(variable.address, clock_.monotonic_ns());
    }
  }
  wanted_ = std::move(variables);
}

void RaceWatch::follow_time(std::int64_t now_ns) {
  const std::int64_t elapsed_ns = stepped_ns_ == 0 ? 0 : now_ns - stepped_ns_;
  stepped_ns_ = now_ns;
  may_arm_ = armed_time_.step(now_ns);
  if (resting_) {
    return;
  }
  cost_.armed_ns += elapsed_ns;
  for (Slot& slot : slots_) {
    slot.armed_ns += slot.candidate ? elapsed_ns : 0;
  }
}

Result<void> RaceWatch::rest() {
  if (std::exchange(resting_, true)) {
    return {};
  }
  for (unsigned index = 0; index < slots_.size(); ++index) {
    if (slots_[index].candidate) {
      if (auto rested = registers_.watcher.rest(index); !rested) {
        return rested;
      }
    }
  }
  return {};
}

// Tops each armed slot up to as many hits as the budget pays for if every CPU used all of them.
Result<void> RaceWatch::spend(std::int64_t now_ns) {
  tokens_ns_ += static_cast<double>(now_ns - std::min(refilled_ns_, now_ns)) * options_.budget;
  tokens_ns_ = std::min(tokens_ns_, kSavingsNs);
  refilled_ns_ = now_ns;
  resting_ = false;
  const auto armed = static_cast<double>(
      std::count_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.candidate.has_value(); }));
  if (armed == 0 || tokens_ns_ <= 0) {
    return {};
  }
  const double hits = tokens_ns_ / (options_.cost.hit_ns * armed * registers_.watcher.cpus());
  const auto allowed = static_cast<unsigned>(std::clamp(std::floor(hits), 0.0, double{kMostHitsAtOnce}));
  for (unsigned index = 0; index < slots_.size() && allowed > 0; ++index) {
    if (!slots_[index].candidate) {
      continue;
    }
    const auto left = registers_.watcher.remaining(index);
    if (!left) {
      return fail(left.error());
    }
    const auto spare = static_cast<unsigned>(*left / registers_.watcher.cpus());
    if (spare >= allowed) {
      continue;
    }
    if (auto done = registers_.watcher.allow(index, allowed - spare); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace raceguard::app
