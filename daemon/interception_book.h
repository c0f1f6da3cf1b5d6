// SPDX-License-Identifier: Apache-2.0
// What is to be kept apart in which process, and why; what came of it. Pure: states of switches, races, targets and
// news of the thread come in, orders and records of what happened go out. On the caller's clock.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/breaker/decision.h"
#include "daemon/detect/race_book.h"
#include "daemon/export/interceptions_view.h"
#include "daemon/interception_order.h"
#include "daemon/policy/policy.h"
#include "daemon/race_watch.h"
#include "daemon/switch_condition.h"
#include "daemon/targets/target.h"

namespace raceguard::app {

struct InterceptionInput {
  breaker::Instant now;
  std::vector<SwitchCondition> switches;
  std::vector<detect::BookedRacePtr> proven;  // since the last step
  bool fuse_open = false;                     // all probes off
};

using exporting::InterceptionRecord;

class InterceptionBook {
 public:
  static constexpr std::size_t kMostAtOnce = 8;  // each has a BPF object of some MiB
  static constexpr std::size_t kMostOver = 32;   // that are kept to be looked at
  static constexpr std::size_t kMostProposals = 256;
  static constexpr std::int64_t kLookPeriodNs = 1'000'000'000;  // at races

  explicit InterceptionBook(const policy::Policy& policy) { reload(policy); }

  // What the policy asks for no longer ends with the next step; what it asks for otherwise begins anew.
  void reload(const policy::Policy& policy);
  // The targets, with the guard of each.
  void follow(std::map<targets::ProcessId, std::string> processes) { processes_ = std::move(processes); }
  void step(const InterceptionInput& input, const detect::RaceBook& races);
  void take_in(const std::vector<InterceptionNews>& news, const std::vector<ProposalNews>& proposals,
               const breaker::Instant& now);

  [[nodiscard]] const InterceptionWork& work() const { return work_; }
  [[nodiscard]] bool take_work_changed() { return std::exchange(work_changed_, false); }
  [[nodiscard]] std::vector<ProposalOrder> take_proposals() { return std::exchange(proposal_orders_, {}); }
  [[nodiscard]] std::vector<InterceptionRecord> take_records() { return std::exchange(records_, {}); }
  // Variables whose races are counted.
  [[nodiscard]] std::map<targets::ProcessId, std::vector<WantedVariable>> wanted() const;
  [[nodiscard]] exporting::InterceptionsView view() const;

 private:
  struct Race {
    std::string id;
    std::uint64_t hash = 0;
    detect::RaceVariable variable;
    detect::RaceInProcess last;
    exporting::ProofCounts phases{};
  };
  struct Entry {
    exporting::InterceptionView view;  // without races
    InterceptRequest request;
    RaceSides sides;
    std::vector<Race> races;
    std::uint64_t attempt = 0;
    std::int64_t until_ns = 0;  // of a finding's
    std::int64_t begun_ns = 0;  // this and the next: of the last run; 0: none
    std::int64_t ended_ns = 0;
    std::int64_t next_try_ns = 0;
    unsigned withdrawals = 0;  // without a long run in between
    unsigned failures = 0;
    std::string told_failure;
    detect::Interception counted;  // of this run, in the sums
  };
  using Entries = std::map<InterceptionId, Entry>;

  // Both sides are in functions that it intercepts.
  [[nodiscard]] static bool covers(const detect::Interception& figures, const RaceSides& sides);
  void follow_switches(const InterceptionInput& input);
  [[nodiscard]] static bool stands_for(const Entry& entry, const RaceSides& sides);
  void on_proven(const detect::BookedRace& race, const InterceptionInput& input);
  void widen(const InterceptionId& id, Entry& entry, const RaceSides& sides);
  void propose(const detect::BookedRace& race, const targets::ProcessId& process);
  void add_races(const InterceptionInput& input, const detect::RaceBook& races);
  void count_proofs(const detect::RaceBook& races, std::int64_t now_ns);
  // Why it is not to run; empty: it is.
  [[nodiscard]] std::string unwanted(const InterceptionId& id, const Entry& entry,
                                     const InterceptionInput& input) const;
  void judge(const InterceptionId& id, Entry& entry, const InterceptionInput& input);
  void forget();
  void begin(const InterceptionId& id, Entry& entry);
  void order(const InterceptionId& id, Entry& entry);
  void rest(Entry& entry, const breaker::Instant& now, std::int64_t for_ns, std::string why);
  void on_begun(const InterceptionId& id, Entry& entry, const breaker::Instant& now);
  void on_ended(const InterceptionId& id, Entry& entry, const breaker::Instant& now);
  void on_failed(const InterceptionId& id, Entry& entry, const std::string& failure, const breaker::Instant& now);
  void add_figures(const InterceptionId& id, Entry& entry, const detect::Interception& figures);
  void record(exporting::InterceptionEvent event, const Entry& entry, std::string why);
  [[nodiscard]] exporting::InterceptionView shown(const Entry& entry) const;
  [[nodiscard]] exporting::GuardInterceptionsView& sums(const std::string& guard);
  [[nodiscard]] std::size_t at_work() const;

  std::map<targets::ProcessId, std::string> processes_;
  std::map<std::string, policy::WatchGuard> watches_;                                // by guard
  std::map<std::string, std::pair<std::string, policy::SerializePolicy>> switches_;  // by name, with the guard
  std::map<std::string, breaker::State> observed_;                                   // of those that only observe
  Entries entries_;
  std::map<std::string, exporting::GuardInterceptionsView> sums_;
  std::map<std::pair<std::string, std::string>, std::optional<exporting::ProposalView>> proposals_;  // asked: nothing
  InterceptionWork work_;
  bool work_changed_ = false;
  std::vector<ProposalOrder> proposal_orders_;
  std::vector<InterceptionRecord> records_;
  std::int64_t next_look_ns_ = 0;
};

}  // namespace raceguard::app
