// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/burst_json.h"

#include <nlohmann/json.hpp>

#include "daemon/export/json_parts.h"
#include "daemon/export/lock_report_view.h"
#include "daemon/export/snapshot.h"

namespace raceguard::exporting {

using nlohmann::json;

json bursts_json(const BurstView& bursts) {
  json document = {{"wanted", bursts.wanted},
                   {"held", bursts.held},
                   {"trouble", text_or_null(bursts.trouble)},
                   {"guards", json::array()}};
  for (const GuardBurstView& guard : bursts.guards) {
    document["guards"].push_back({{"guard", guard.guard},
                                  {"limit", guard.limit},
                                  {"processes", guard.processes},
                                  {"waiting", guard.waiting},
                                  {"bursts", guard.bursts},
                                  {"ended_early", guard.ended_early},
                                  {"hits", guard.hits},
                                  {"foreign_hits", guard.foreign_hits},
                                  {"on_seconds", to_seconds(guard.on_ns)},
                                  {"cost_seconds", to_seconds(guard.cost_ns)},
                                  {"target_cpu_seconds", to_seconds(guard.cpu_ns)},
                                  {"doubted_orders", guard.doubted_orders},
                                  {"cycles", guard.cycles},
                                  {"notes", guard.notes}});
  }
  return document;
}

json advice_json(const Snapshot& snapshot, std::size_t limit) {
  json document = document_head(snapshot);
  document["bursts"] = bursts_json(snapshot.bursts);
  document["reports"] = json::array();
  for (const auto& report : snapshot.bursts.reports) {
    json one = lock_report_json(*report);
    while (one["locks"].size() > limit) {
      one["locks"].erase(one["locks"].size() - 1);
    }
    document["reports"].push_back(std::move(one));
  }
  return document;
}

}  // namespace raceguard::exporting
