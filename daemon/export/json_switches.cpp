// SPDX-License-Identifier: Apache-2.0
// Switches as JSON: the list, and why one is where it is.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "daemon/export/json_parts.h"
#include "daemon/export/json_views.h"
#include "daemon/export/snapshot.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

std::string summary_of(const SwitchView& view) {
  std::string text = fmt::format("Switch {} is {}", view.name, state_name(view.state));
  if (view.state != view.applied_state) {
    text += fmt::format(" for its breaker, {} for applications", state_name(view.applied_state));
    text += view.enforce ? " (the change is held back)" : " (mode observe: nothing is flipped)";
  }
  if (view.forced) {
    text += fmt::format(", forced by {}", view.forced_by);
    text += view.forced_until_realtime_ns == 0 ? " until released"
                                               : fmt::format(" until {}", rfc3339_utc(view.forced_until_realtime_ns));
  }
  if (view.history.empty()) {
    return text + ". It never left that state since the daemon started.";
  }
  const breaker::Decision& last = view.history.back();
  return text + fmt::format(" since {}: {}", rfc3339_utc(last.realtime_ns), last.reason);
}

}  // namespace

std::string_view state_name(breaker::State state) {
  switch (state) {
    case breaker::State::kClosed:
      return "closed";
    case breaker::State::kOpen:
      return "open";
    case breaker::State::kHalfOpen:
      return "half_open";
  }
  return "unknown";
}

json decision_json(const breaker::Decision& decision) {
  return {{"switch", decision.switch_name},
          {"from", state_name(decision.from)},
          {"to", state_name(decision.to)},
          {"enforced", decision.enforced},
          {"forced", decision.forced},
          {"flapping", decision.flapping},
          {"reason", decision.reason},
          {"actor", decision.actor},
          {"evidence", measurements_json(decision.evidence)},
          {"time", time_or_null(decision.realtime_ns)},
          {"realtime_ns", decision.realtime_ns},
          {"monotonic_ns", decision.time_ns},
          {"next_change_monotonic_ns", decision.next_change_ns},
          {"generation", decision.generation},
          {"allow_share", decision.allow_share}};
}

json switch_json(const Snapshot& snapshot, const SwitchView& view) {
  const breaker::Decision* last = view.history.empty() ? nullptr : &view.history.back();
  return {{"name", view.name},
          {"guard", view.guard},
          {"mode", view.enforce ? "enforce" : "observe"},
          {"state", state_name(view.state)},
          {"applied_state", state_name(view.applied_state)},
          {"allow_share", view.allow_share},
          {"since", last == nullptr ? json(nullptr) : time_or_null(last->realtime_ns)},
          {"reason", last == nullptr ? json(nullptr) : text_or_null(last->reason)},
          {"next_change", last == nullptr ? json(nullptr) : monotonic_or_null(snapshot, last->next_change_ns)},
          {"forced", view.forced},
          {"forced_by", text_or_null(view.forced_by)},
          {"forced_until", time_or_null(view.forced_until_realtime_ns)},
          {"transitions", view.transitions},
          {"openings_enforced", view.openings_enforced},
          {"openings_observed", view.openings_observed},
          {"words", view.words},
          {"unprobed_functions", view.unprobed},
          {"current", measurements_json(view.current)}};
}

json switches_json(const Snapshot& snapshot) {
  json document = document_head(snapshot);
  document["switches"] = json::array();
  for (const SwitchView& view : snapshot.switches) {
    document["switches"].push_back(switch_json(snapshot, view));
  }
  return document;
}

Result<json> explain_json(const Snapshot& snapshot, std::string_view switch_name) {
  const auto found = std::find_if(snapshot.switches.begin(), snapshot.switches.end(),
                                  [&](const SwitchView& view) { return view.name == switch_name; });
  if (found == snapshot.switches.end()) {
    std::vector<std::string> names;
    for (const SwitchView& view : snapshot.switches) {
      names.push_back(view.name);
    }
    return fail(
        ErrorCode::kSwitchUnknown, fmt::format("no switch is called '{}'", switch_name),
        names.empty() ? "The policy defines no switches" : fmt::format("The switches are: {}", fmt::join(names, ", ")));
  }
  json document = document_head(snapshot);
  document["switch"] = switch_json(snapshot, *found);
  document["summary"] = summary_of(*found);
  document["history"] = json::array();
  for (const breaker::Decision& decision : found->history) {
    document["history"].push_back(decision_json(decision));
  }
  return document;
}

}  // namespace raceguard::exporting
