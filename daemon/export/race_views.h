// SPDX-License-Identifier: Apache-2.0
// Data races as JSON (docs/schema/race-report.schema.json): of `raceguardctl record`, and in the daemon's findings.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "daemon/detect/finding.h"
#include "daemon/detect/race_book.h"
#include "daemon/detect/race_cost.h"
#include "daemon/detect/race_finding.h"
#include "daemon/detect/race_judge.h"
#include "daemon/plan/watch_rotation.h"

namespace raceguard::exporting {

struct WatchView;

struct RaceReport {
  std::int64_t realtime_ns = 0;  // of the end
  std::string version;
  pid_t pid = 0;
  std::string comm;
  std::string exe;
  std::vector<detect::RaceFinding> findings;
  detect::RaceCost cost;
  detect::SamplerFigures sampled;
  detect::RaceJudgeCounters judged;
  plan::RotationCoverage coverage;
  std::vector<std::uint64_t> drops;  // by enum rg_drop_reason
  std::vector<std::string> notes;
  std::vector<detect::LockFigures> locks;
  std::vector<detect::Finding> deadlocks;
};

[[nodiscard]] nlohmann::json race_finding_json(const detect::RaceFinding& finding);
// With where it was seen: of the daemon's findings and of its evidence.
[[nodiscard]] nlohmann::json booked_race_json(const detect::BookedRace& race);
[[nodiscard]] nlohmann::json watch_json(const WatchView& watch);
[[nodiscard]] nlohmann::json race_report_json(const RaceReport& report);

}  // namespace raceguard::exporting
