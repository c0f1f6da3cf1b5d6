// SPDX-License-Identifier: Apache-2.0
// Data races in the daemon: what is to be searched, what was found and is known, and who has to hear of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/detect/lock_table.h"
#include "daemon/detect/race_book.h"
#include "daemon/export/watch_view.h"
#include "daemon/kernel/attachment.h"
#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"
#include "daemon/race_thread.h"
#include "daemon/targets/target_set.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::app {

// A finding that is known and accepted from now on.
struct SuppressedRace {
  detect::BookedRacePtr race;
  std::string file;
  std::string line;    // of the file: "race:^stats.hits$"
  bool added = false;  // else a line that was there before stands for it
};

class RaceDesk {
 public:
  // `clock` must outlive the desk.
  RaceDesk(const policy::Policy& policy, const Clock& clock);

  // Reads the files of suppressions again. One that cannot be read leaves its list as it was.
  void reload(const policy::Policy& policy);
  // The targets or the plan changed. The search begins with the next tick().
  void follow(const targets::TargetSet& targets, const plan::ProbePlan& plan);

  // Functions are called with objects whose members are watched: tick() wants to know with which.
  [[nodiscard]] bool wants_objects() const { return !orders_.empty(); }
  // Once a tick: hands over what the other watches saw, takes in what was found. Returns what is new, for the log and
  // the evidence.
  std::vector<detect::BookedRacePtr> tick(const detect::LockTable& locks,
                                          const std::vector<kernel::ObjectReading>& objects);
  // Races that were seen between the last two ticks, for the breakers.
  [[nodiscard]] detect::RacesSeen seen(const std::string& guard) const;

  // Races that were proven, again or for the first time, between the last two ticks; without the suppressed ones.
  [[nodiscard]] std::vector<detect::BookedRacePtr> proven() const;
  [[nodiscard]] const detect::RaceBook& book() const { return book_; }
  // Variables that are to be looked at each second, by process.
  void want(std::map<targets::ProcessId, std::vector<WantedVariable>> wanted);

  // In each guard that has it. `why` stands in the file as a comment. kFindingUnknown, kSuppressionFile;
  // kControlRequest where a guard's policy names no file.
  [[nodiscard]] Result<std::vector<SuppressedRace>> suppress(const std::string& id, const std::string& why);

  [[nodiscard]] exporting::WatchView view() const;
  // By enum rg_drop_reason, added to what the other watches lost.
  void add_drops(std::vector<std::uint64_t>& drops) const;

 private:
  void read_suppressions(const std::string& guard);
  void follow_functions(const plan::ProbePlan& plan);
  void tell_state();
  void hand_over(const detect::LockTable& locks, const std::vector<kernel::ObjectReading>& objects);
  void take_in(std::map<targets::ProcessId, ProcessFindings> findings, std::vector<detect::BookedRacePtr>& told);
  [[nodiscard]] Result<SuppressedRace> suppress(const detect::BookedRacePtr& race, const std::string& why);

  std::map<std::string, policy::WatchGuard> guards_;  // those that watch something
  std::map<std::string, std::string> file_troubles_;  // by guard: why its suppressions could not be read
  std::map<std::uint32_t, std::shared_ptr<const ObjectOrder>> orders_;  // by function id
  std::uint64_t objects_told_ns_ = 0;
  detect::RaceBook book_;
  std::map<std::string, detect::RacesSeen> seen_;
  std::map<targets::ProcessId, std::uint64_t> serials_;  // of the search that each process's counts come from
  SearchWork work_;
  bool work_changed_ = false;
  SearchState state_;
  std::set<std::string> told_;  // each once
  RaceThread thread_;           // last: it ends first
};

}  // namespace raceguard::app
