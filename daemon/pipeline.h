// SPDX-License-Identifier: Apache-2.0
// One guard at work: the stages in the data's order, driven by the loop, seen from outside as Snapshots.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/budget_desk.h"
#include "daemon/burst_desk.h"
#include "daemon/contention_desk.h"
#include "daemon/export/peer.h"
#include "daemon/export/snapshot.h"
#include "daemon/export/snapshot_source.h"
#include "daemon/interception_desk.h"
#include "daemon/observer.h"
#include "daemon/prober.h"
#include "daemon/race_desk.h"
#include "daemon/switch_desk.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// Of the functions that feed a switch, those that are not probed: exempt, or all of them while the fuse is open.
[[nodiscard]] std::vector<std::string> unprobed(const exporting::BudgetView& budget, const exporting::SwitchView& view);

class Pipeline {
 public:
  // `config`: the files and directories that a reload reads again. The references must outlive the pipeline.
  Pipeline(policy::Policy policy, std::vector<std::filesystem::path> config, Prober& prober, SwitchDesk& desk,
           exporting::SnapshotSource& source, const Clock& clock, std::uint64_t seed);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // First scan and attach. What single processes or functions refuse is logged, not fatal.
  [[nodiscard]] Result<void> start();

  void drain();               // the ring has records
  void tick();                // daemon.tick: counters, judgement, decisions
  void heartbeat();           // daemon.heartbeat: the shared page
  void govern();              // what the probes cost since the last time, and what follows
  void rescan();              // now and then: what events missed
  void look_at_new_probes();  // when the alarm rings that was given by set_alarm()

  // `ring_in` has look_at_new_probes() called so many nanoseconds later.
  void set_alarm(std::function<void(std::int64_t)> ring_in) { ring_in_ = std::move(ring_in); }

  // Reads the policy again and swaps plans. A bad policy changes nothing.
  [[nodiscard]] Result<void> reload();
  // The acting methods of the control socket: force, release, reload, suppress.
  [[nodiscard]] Result<nlohmann::json> control(const std::string& method, const nlohmann::json& params,
                                               const exporting::Peer& peer);
  // Brings the snapshot up to date, for a reader on the loop.
  void refresh();
  // Notes the end in the evidence file.
  void stop(const std::string& why);

  [[nodiscard]] std::string status_line() const;

 private:
  void follow(const ProbeChanges& changes);
  void tell_omissions();
  void look_for_deadlocks(std::int64_t now_ns);
  void look_for_races();
  // pipeline_interception.cpp
  void keep_apart(std::int64_t now_ns);
  void tell(const std::vector<exporting::InterceptionRecord>& records);
  void look_for_lock_orders();
  // pipeline_budget.cpp
  void attach_postponed();
  void charge(const std::vector<kernel::FunctionReading>& readings);
  void charge_contention();
  void tick_contention();
  void rest_contention(const plan::PlanDifference& change);
  void note_steps(const std::vector<breaker::BudgetStep>& steps);
  void leave_out();
  void expect_costs();
  void hide_returns();
  void publish_budget(exporting::Snapshot& snapshot) const;
  [[nodiscard]] Result<nlohmann::json> suppress(const nlohmann::json& params, const exporting::Peer& peer);
  void report(const char* what, const Error& error);
  void publish();
  [[nodiscard]] std::vector<exporting::TargetView> target_views() const;

  policy::Policy policy_;
  std::vector<std::filesystem::path> config_;
  Prober& prober_;
  Observer observer_;
  RaceDesk races_;
  BudgetDesk budget_;
  ContentionDesk contention_;
  bool contention_attached_ = true;
  InterceptionDesk interceptions_;
  BurstDesk bursts_;
  SwitchDesk& desk_;
  exporting::SnapshotSource& source_;
  const Clock& clock_;

  std::int64_t started_realtime_ns_ = 0;
  bool ready_ = false;
  std::uint64_t policy_generation_ = 1;
  std::uint64_t reload_failures_ = 0;
  std::string policy_error_;
  std::uint64_t ticks_ = 0;
  std::int64_t longest_tick_ns_ = 0;
  std::int64_t next_expiry_ns_ = 0;
  std::int64_t next_publish_ns_ = 0;
  bool changed_since_publish_ = false;
  std::function<void(std::int64_t)> ring_in_ = [](std::int64_t) {};
  std::int64_t new_probes_until_ns_ = 0;
  std::string last_report_;
  std::set<std::tuple<std::string, std::string, ErrorCode>> told_omissions_;
};

}  // namespace raceguard::app
