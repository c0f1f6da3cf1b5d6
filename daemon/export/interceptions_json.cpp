// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/interceptions_json.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/interception_view.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/snapshot.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

// Of less than a second under watch nothing can be said per minute.
json proofs_json(const ProofCount& count) {
  const double watched = to_seconds(count.watched_ns);
  return {{"proofs", count.proofs},
          {"watched_seconds", watched},
          {"proofs_per_minute",
           count.watched_ns < kNsPerSecond ? json(nullptr) : json(static_cast<double>(count.proofs) * 60 / watched)}};
}

json phases_json(const ProofCounts& phases) {
  json document = json::object();
  for (std::size_t i = 0; i < phases.size(); ++i) {
    document[std::string(kInterceptionPhases.at(i))] = proofs_json(phases.at(i));
  }
  return document;
}

std::vector<std::string> names_of(const InterceptionView& view) {
  std::vector<std::string> names;
  std::ranges::transform(view.figures.functions, std::back_inserter(names), &detect::InterceptedCalls::name);
  return names;
}

json view_json(const InterceptionView& view) {
  json document = {{"guard", view.guard},
                   {"cause", name_of(kInterceptionCauses, view.cause)},
                   {"name", view.name},
                   {"pid", view.pid},
                   {"state", name_of(kInterceptionStates, view.state)},
                   {"why", text_or_null(view.why)},
                   {"times_begun", view.begun},
                   {"begun", time_or_null(view.begun_realtime_ns)},
                   {"ended", time_or_null(view.ended_realtime_ns)},
                   {"until", time_or_null(view.until_realtime_ns)},
                   {"next_try", time_or_null(view.next_try_realtime_ns)},
                   {"report", view.begun == 0 ? json(nullptr) : interception_json(view.figures)},
                   {"races", json::array()}};
  for (const InterceptedRaceView& race : view.races) {
    json one = phases_json(race.phases);
    one["id"] = race.id;
    one["variable"] = race.variable;
    document["races"].push_back(std::move(one));
  }
  return document;
}

json sums_json(const GuardInterceptionsView& guard) {
  json events = json::object();
  for (std::size_t i = 0; i < guard.events.size(); ++i) {
    events[std::string(kInterceptionEvents.at(i))] = guard.events.at(i);
  }
  return {{"guard", guard.guard},
          {"running", guard.running},
          {"events", std::move(events)},
          {"calls", guard.calls},
          {"taken", guard.taken},
          {"waits", guard.waits},
          {"wait_seconds", to_seconds(guard.wait_ns)},
          {"cost_seconds", to_seconds(guard.cost_ns)},
          {"fail_open", fail_open_json(guard.opened)},
          {"proofs", phases_json(guard.proofs)}};
}

json proposal_json(const ProposalView& proposal) {
  return {{"guard", proposal.guard},
          {"finding", proposal.finding},
          {"pid", proposal.pid},
          {"functions", proposal.functions},
          {"command", text_or_null(proposal.command)},
          {"failure", text_or_null(proposal.failure)}};
}

}  // namespace

json interceptions_json(const Snapshot& snapshot) {
  json document = document_head(snapshot);
  document["interceptions"] = json::array();
  document["guards"] = json::array();
  document["proposals"] = json::array();
  for (const InterceptionView& view : snapshot.interceptions.list) {
    document["interceptions"].push_back(view_json(view));
  }
  for (const GuardInterceptionsView& guard : snapshot.interceptions.guards) {
    document["guards"].push_back(sums_json(guard));
  }
  for (const ProposalView& proposal : snapshot.interceptions.proposals) {
    document["proposals"].push_back(proposal_json(proposal));
  }
  return document;
}

json interception_record_json(const InterceptionRecord& record) {
  json document =
      record.event == InterceptionEvent::kProposed ? proposal_json(record.proposal) : view_json(record.view);
  document["event"] = name_of(kInterceptionEvents, record.event);
  document["reason"] = text_or_null(record.why);
  return document;
}

std::string interception_record_text(const InterceptionRecord& record) {
  const std::string_view event = name_of(kInterceptionEvents, record.event);
  if (record.event == InterceptionEvent::kProposed) {
    const ProposalView& proposal = record.proposal;
    const std::string what =
        proposal.failure.empty()
            ? fmt::format("could keep {} apart: {}", fmt::join(proposal.functions, ", "), proposal.command)
            : fmt::format("nothing can be kept apart: {}", proposal.failure);
    return fmt::format("finding {} of {}: {}", proposal.finding, proposal.guard, what);
  }
  const InterceptionView& view = record.view;
  const std::vector<std::string> names = names_of(view);
  const std::string process = view.pid == 0 ? "its targets" : fmt::format("pid {}", view.pid);
  const std::string what = names.empty() ? process : fmt::format("{} of {}", fmt::join(names, ", "), process);
  return fmt::format("interception {}: {}, for {} {} of {}{}{}", event, what, name_of(kInterceptionCauses, view.cause),
                     view.name, view.guard, record.why.empty() ? "" : ": ", record.why);
}

void add_interception(const InterceptionsView& interceptions, const std::string& guard, json& finding) {
  const std::string id = finding.at("id");
  const bool is_kept_apart = std::ranges::any_of(interceptions.list, [&](const InterceptionView& view) {
    return view.state == InterceptionState::kRunning && view.guard == guard &&
           std::ranges::find(view.races, id, &InterceptedRaceView::id) != view.races.end();
  });
  const auto proposal = std::ranges::find_if(
      interceptions.proposals, [&](const ProposalView& one) { return one.finding == id && one.guard == guard; });
  finding["intercepted"] = is_kept_apart;
  finding["proposal"] = proposal == interceptions.proposals.end() ? json(nullptr) : proposal_json(*proposal);
}

}  // namespace raceguard::exporting
