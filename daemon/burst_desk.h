// SPDX-License-Identifier: Apache-2.0
// Lock bursts in the daemon: which processes have them, what they found, and who has to hear of it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/burst_thread.h"
#include "daemon/detect/finding.h"
#include "daemon/export/burst_view.h"
#include "daemon/policy/policy.h"
#include "daemon/targets/target_set.h"
#include "raceguard/clock.h"

namespace raceguard::app {

class BurstDesk {
 public:
  // `clock` must outlive the desk.
  BurstDesk(const policy::Policy& policy, const Clock& clock, BurstThread::MakeSource make_source);

  void reload(const policy::Policy& policy);
  // The targets changed. Bursts begin with the next tick().
  void follow(const targets::TargetSet& targets);

  // Once a tick. While the fuse is open there are no bursts. Returns the cycles of locks of which the bursts since the
  // last tick saw something.
  std::vector<detect::Finding> tick(bool fuse_open);

  [[nodiscard]] exporting::BurstView view() const;
  // By enum rg_drop_reason, added to what the other watches lost.
  void add_drops(std::vector<std::uint64_t>& drops) const;

 private:
  using Reports = std::vector<std::shared_ptr<const detect::LockReport>>;
  void tell_state();
  [[nodiscard]] std::vector<detect::Finding> findings_of(const Reports& reports) const;

  std::map<std::string, policy::BurstGuard> guards_;  // those that have bursts
  BurstWork work_;
  bool work_changed_ = false;
  bool held_ = false;
  exporting::BurstView state_;
  std::set<std::string> told_;  // each once
  BurstThread thread_;          // last: it ends first
};

}  // namespace raceguard::app
