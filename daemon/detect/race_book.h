// SPDX-License-Identifier: Apache-2.0
// The data races of all processes that are searched. The same race in several processes of a policy is one, and it
// stays when its process ends. Pure and bounded: of the least sure ones the one that was not seen for longest makes
// room.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/detect/race_finding.h"
#include "daemon/detect/suppressions.h"
#include "daemon/targets/target.h"

namespace raceguard::detect {

struct BookedRace {
  std::string id;  // race_id()
  std::uint64_t hash = 0;
  std::string guard;
  pid_t pid = 0;        // where it was seen last
  RaceFinding finding;  // its count is that of all processes
};
using BookedRacePtr = std::shared_ptr<const BookedRace>;

// Of a guard, since the start; they only grow.
struct RaceCounters {
  std::array<std::uint64_t, 3> found{};  // by Verdict; a race that was likely and is proven now counts as both
};

// Of a race in one process, since its search began.
struct RaceInProcess {
  std::uint64_t count = 0;
  std::int64_t watched_ns = 0;
};

// Races that were seen, again or for the first time; by race_hash(). Without the suppressed ones.
struct RacesSeen {
  std::vector<std::uint64_t> proven;
  std::vector<std::uint64_t> likely;
};

class RaceBook {
 public:
  explicit RaceBook(std::size_t capacity = 256) : capacity_(capacity) {}

  // The findings of one process as they stand now. Returns those to tell about: proven or likely, for the first time or
  // with a better verdict than before, not suppressed.
  std::vector<BookedRacePtr> merge(const std::string& guard, const targets::ProcessId& process,
                                   std::vector<RaceFinding> findings);
  // The process ended: another one of its pid counts from nothing.
  void forget_process(const targets::ProcessId& process);

  // What was seen in processes of the guard since this was asked last.
  [[nodiscard]] RacesSeen take_seen(const std::string& guard);

  // From now on, and for what is in the book.
  void set_suppressions(const std::string& guard, Suppressions suppressions);
  // Guards that the policy has no longer: their races leave.
  void keep_guards(const std::vector<std::string>& guards);

  // Without the suppressed ones: proven, likely, info; of each the last seen first.
  [[nodiscard]] std::vector<BookedRacePtr> list() const;
  [[nodiscard]] std::vector<BookedRacePtr> find(const std::string& id) const;  // of all guards, suppressed or not
  // Null: the book has no such race.
  [[nodiscard]] BookedRacePtr find(const std::string& guard, std::uint64_t hash) const;
  // Nothing: it was not seen in this process, or the search there begins anew.
  [[nodiscard]] std::optional<RaceInProcess> in_process(const std::string& guard, std::uint64_t hash,
                                                        const targets::ProcessId& process) const;
  [[nodiscard]] std::uint64_t suppressed(const std::string& guard) const;
  [[nodiscard]] RaceCounters counters(const std::string& guard) const;

 private:
  using Key = std::pair<std::string, std::uint64_t>;  // guard, hash
  struct Entry {
    std::shared_ptr<BookedRace> race;
    std::map<targets::ProcessId, RaceInProcess> counts;  // of the finding, as each process told them last
    std::size_t told = 3;                                // the best verdict that was told, as a number; 3: none
    std::size_t counted = 3;                             // the same for the counters
  };
  void take_in(Entry& entry, const targets::ProcessId& process, RaceFinding finding);
  void note_seen(const BookedRace& race);
  void judge(Entry& entry) const;
  void make_room();

  std::size_t capacity_;
  std::map<Key, Entry> entries_;
  std::map<std::string, Suppressions> suppressions_;
  std::map<std::string, RacesSeen> seen_;
  std::map<std::string, RaceCounters> counters_;
};

}  // namespace raceguard::detect
