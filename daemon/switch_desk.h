// SPDX-License-Identifier: Apache-2.0
// Judges the switches and carries what was decided: breaker + switches, with the evidence of each decision.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/breaker/breaker_set.h"
#include "daemon/detect/switch_sums.h"
#include "daemon/export/evidence.h"
#include "daemon/export/snapshot.h"
#include "daemon/policy/policy.h"
#include "daemon/switch_condition.h"
#include "daemon/switches/switch_board.h"
#include "raceguard/clock.h"

namespace raceguard::app {

// A switch with the policy entry that it stands in.
struct DeskSwitch {
  std::string guard;
  detect::SwitchFeed feed;
};

class SwitchDesk {
 public:
  // `clock` must outlive the desk.
  SwitchDesk(const policy::Policy& policy, switches::SwitchBoard board, exporting::EvidenceWriter evidence,
             const Clock& clock, std::uint64_t seed);

  void reload(const policy::Policy& policy);

  // One tick of every breaker; `sums_of` says what a switch's functions and locks did since the last one.
  void tick(const std::function<detect::SwitchSums(const detect::SwitchFeed&)>& sums_of);
  // The page's heartbeat and deliveries that failed before.
  void heartbeat();
  // Probes went to new binaries: their words follow the switches that are not closed.
  void reapply_words();

  [[nodiscard]] Result<breaker::Decision> force(const std::string& name, breaker::State state, std::string actor,
                                                std::string reason, std::int64_t ttl_ns);
  [[nodiscard]] Result<breaker::Decision> release(const std::string& name, std::string actor, std::string reason);

  void note(const std::string& kind, const nlohmann::json& data) { evidence_.add(kind, data); }
  void flush_evidence();
  void reopen_evidence();

  [[nodiscard]] std::vector<exporting::SwitchView> views() const;
  [[nodiscard]] std::vector<SwitchCondition> conditions() const;
  [[nodiscard]] std::size_t size() const { return breakers_.breakers().size(); }
  [[nodiscard]] const exporting::EvidenceWriter& evidence() const { return evidence_; }

 private:
  [[nodiscard]] breaker::Instant now() const;
  void carry(const std::vector<breaker::Decision>& decisions);
  void log_deliveries(const std::vector<switches::Delivery>& deliveries);

  const Clock& clock_;
  breaker::BreakerSet breakers_;
  switches::SwitchBoard board_;
  exporting::EvidenceWriter evidence_;
  std::map<std::string, DeskSwitch> desk_;
  std::map<std::string, std::array<exporting::TransitionCount, 3>> transitions_;
  bool evidence_failing_ = false;
};

}  // namespace raceguard::app
