// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/race_book.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "daemon/detect/race_name.h"

namespace raceguard::detect {
namespace {

std::size_t rank(const RaceFinding& finding) { return static_cast<std::size_t>(finding.verdict); }

void add_once(std::vector<std::uint64_t>& hashes, std::uint64_t hash) {
  if (std::find(hashes.begin(), hashes.end(), hash) == hashes.end()) {
    hashes.push_back(hash);
  }
}

}  // namespace

// A snapshot may hold the race that stands in the entry: what readers see is never changed, but replaced.
void RaceBook::take_in(Entry& entry, const targets::ProcessId& process, RaceFinding finding) {
  std::uint64_t& before = entry.counts[process].count;
  const std::uint64_t added = finding.count > before ? finding.count - before : 0;
  before = finding.count;
  auto next = std::make_shared<BookedRace>(*entry.race);
  const RaceFinding& old = entry.race->finding;
  const bool first = old.sites.empty();
  finding.count = old.count + added;
  finding.first_seen_ns = first ? finding.first_seen_ns : std::min(old.first_seen_ns, finding.first_seen_ns);
  finding.last_seen_ns = std::max(old.last_seen_ns, finding.last_seen_ns);
  finding.suppressed = old.suppressed;
  finding.suppressed_by = old.suppressed_by;
  next->finding = std::move(finding);
  next->pid = process.pid;
  entry.race = std::move(next);
}

void RaceBook::judge(Entry& entry) const {
  const auto rules = suppressions_.find(entry.race->guard);
  auto line = rules == suppressions_.end() ? std::nullopt : rules->second.match(entry.race->finding);
  if (line.has_value() == entry.race->finding.suppressed && line.value_or("") == entry.race->finding.suppressed_by) {
    return;
  }
  auto next = std::make_shared<BookedRace>(*entry.race);
  next->finding.suppressed = line.has_value();
  next->finding.suppressed_by = line.value_or("");
  entry.race = std::move(next);
}

void RaceBook::note_seen(const BookedRace& race) {
  RacesSeen& seen = seen_[race.guard];
  if (race.finding.verdict == Verdict::kProven) {
    add_once(seen.proven, race.hash);
  } else if (race.finding.verdict == Verdict::kLikely) {
    add_once(seen.likely, race.hash);
  }
}

std::vector<BookedRacePtr> RaceBook::merge(const std::string& guard, const targets::ProcessId& process,
                                           std::vector<RaceFinding> findings) {
  std::vector<BookedRacePtr> news;
  for (RaceFinding& finding : findings) {
    const std::uint64_t hash = race_hash(finding);
    auto found = entries_.find({guard, hash});
    const bool is_new = found == entries_.end();
    if (is_new) {
      make_room();
      BookedRace race{.id = race_id(hash), .hash = hash, .guard = guard, .pid = process.pid, .finding = {}};
      found = entries_.emplace(Key{guard, hash}, Entry{.race = std::make_shared<BookedRace>(std::move(race))}).first;
    }
    Entry& entry = found->second;
    const auto known = entry.counts.find(process);
    const bool unchanged = known != entry.counts.end() && known->second.count == finding.count &&
                           entry.race->finding.verdict == finding.verdict;
    entry.counts[process].watched_ns = finding.watched_ns;
    if (unchanged) {
      continue;
    }
    take_in(entry, process, std::move(finding));
    if (is_new) {
      judge(entry);
    }
    const std::size_t verdict = rank(entry.race->finding);
    if (entry.race->finding.suppressed) {
      continue;
    }
    note_seen(*entry.race);
    if (verdict < entry.counted) {
      ++counters_[guard].found.at(verdict);
      entry.counted = verdict;
    }
    if (verdict < entry.told && entry.race->finding.verdict != Verdict::kInfo) {
      entry.told = verdict;
      news.push_back(entry.race);
    }
  }
  return news;
}

void RaceBook::forget_process(const targets::ProcessId& process) {
  for (auto& [key, entry] : entries_) {
    entry.counts.erase(process);
  }
}

RacesSeen RaceBook::take_seen(const std::string& guard) {
  const auto found = seen_.find(guard);
  return found == seen_.end() ? RacesSeen{} : std::exchange(found->second, {});
}

void RaceBook::set_suppressions(const std::string& guard, Suppressions suppressions) {
  suppressions_[guard] = std::move(suppressions);
  for (auto& [key, entry] : entries_) {
    if (key.first == guard) {
      judge(entry);
    }
  }
}

void RaceBook::keep_guards(const std::vector<std::string>& guards) {
  const auto gone = [&](const std::string& guard) {
    return std::find(guards.begin(), guards.end(), guard) == guards.end();
  };
  std::erase_if(entries_, [&](const auto& entry) { return gone(entry.first.first); });
  std::erase_if(suppressions_, [&](const auto& entry) { return gone(entry.first); });
  std::erase_if(seen_, [&](const auto& entry) { return gone(entry.first); });
}

void RaceBook::make_room() {
  if (entries_.size() < capacity_) {
    return;
  }
  const auto worth = [](const auto& entry) {
    const RaceFinding& finding = entry.second.race->finding;
    return std::tuple(finding.suppressed ? 0 : 1, -static_cast<int>(finding.verdict), finding.last_seen_ns);
  };
  entries_.erase(std::min_element(entries_.begin(), entries_.end(),
                                  [&](const auto& a, const auto& b) { return worth(a) < worth(b); }));
}

std::vector<BookedRacePtr> RaceBook::list() const {
  std::vector<BookedRacePtr> all;
  for (const auto& [key, entry] : entries_) {
    if (!entry.race->finding.suppressed) {
      all.push_back(entry.race);
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const BookedRacePtr& a, const BookedRacePtr& b) {
    return std::pair(rank(a->finding), -a->finding.last_seen_ns) <
           std::pair(rank(b->finding), -b->finding.last_seen_ns);
  });
  return all;
}

std::vector<BookedRacePtr> RaceBook::find(const std::string& id) const {
  std::vector<BookedRacePtr> found;
  for (const auto& [key, entry] : entries_) {
    if (entry.race->id == id) {
      found.push_back(entry.race);
    }
  }
  return found;
}

BookedRacePtr RaceBook::find(const std::string& guard, std::uint64_t hash) const {
  const auto found = entries_.find({guard, hash});
  return found == entries_.end() ? nullptr : found->second.race;
}

std::optional<RaceInProcess> RaceBook::in_process(const std::string& guard, std::uint64_t hash,
                                                  const targets::ProcessId& process) const {
  const auto found = entries_.find({guard, hash});
  if (found == entries_.end()) {
    return std::nullopt;
  }
  const auto counts = found->second.counts.find(process);
  return counts == found->second.counts.end() ? std::nullopt : std::optional(counts->second);
}

std::uint64_t RaceBook::suppressed(const std::string& guard) const {
  return static_cast<std::uint64_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.first.first == guard && entry.second.race->finding.suppressed;
  }));
}

RaceCounters RaceBook::counters(const std::string& guard) const {
  const auto found = counters_.find(guard);
  return found == counters_.end() ? RaceCounters{} : found->second;
}

}  // namespace raceguard::detect
