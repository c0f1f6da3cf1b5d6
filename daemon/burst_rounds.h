// SPDX-License-Identifier: Apache-2.0
// Bursts over all processes that want them, one at a time, by turns: who is next, what was found, what it cost.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/burst_subject.h"
#include "daemon/detect/lock_report.h"
#include "daemon/export/burst_view.h"
#include "daemon/policy/policy.h"
#include "daemon/targets/target.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// What is to be looked at: by process its guard, by guard how.
struct BurstWork {
  std::map<std::string, policy::BurstGuard> guards;
  std::map<targets::ProcessId, std::string> processes;
  friend bool operator==(const BurstWork&, const BurstWork&) = default;
};

class BurstRounds {
 public:
  // So many processes are known at a time, some 5 MB each at most. Where more want bursts, one that had kTurnBursts
  // gives its place to the next one.
  static constexpr std::size_t kMostProcesses = 4;
  static constexpr std::uint64_t kTurnBursts = 30;

  // `source` and `clock` must outlive it.
  BurstRounds(BurstSource& source, const Clock& clock) : source_(source), clock_(clock) {}

  void set_work(BurstWork work);
  [[nodiscard]] bool idle() const { return turns_.empty() || !trouble_.empty(); }
  // Until the next burst is due.
  [[nodiscard]] std::int64_t pause_ns() const;
  // The burst that is due, if there is one. `goes_on`: see BurstSubject.
  void step(const std::function<bool()>& goes_on);

  // Of all processes that are known now, and of the guards since they have bursts.
  [[nodiscard]] exporting::BurstView view() const;

 private:
  struct Turn {
    std::string guard;
    std::int64_t next_ns = 0;
    std::uint64_t bursts = 0;               // since it has its place
    std::unique_ptr<BurstSubject> subject;  // null: it has no place, or was not looked at yet
    detect::BurstCost counted;              // of the subject, that is in the guard's figures already
    std::shared_ptr<const detect::LockReport> report;
    std::string refusal;  // why it cannot be looked at
  };
  [[nodiscard]] bool make_place();
  [[nodiscard]] bool open(const targets::ProcessId& id, Turn& turn);
  void refuse(const targets::ProcessId& id, Turn& turn, const Error& error);
  void burst(const targets::ProcessId& id, Turn& turn, const std::function<bool()>& goes_on);
  void count(Turn& turn);
  [[nodiscard]] std::int64_t interval_ns(const Turn& turn) const { return work_.guards.at(turn.guard).interval_ns; }

  BurstSource& source_;
  const Clock& clock_;
  BurstWork work_;
  std::map<targets::ProcessId, Turn> turns_;
  std::map<std::string, exporting::GuardBurstView> totals_;
  std::string trouble_;
};

}  // namespace raceguard::app
