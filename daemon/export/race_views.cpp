// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/race_views.h"

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/detect/race_name.h"
#include "daemon/detect/suppressions.h"
#include "daemon/export/json_parts.h"
#include "daemon/export/json_views.h"
#include "daemon/export/snapshot.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 3> kEvidence = {"overlap", "broken_lock", "value_change"};
constexpr std::array<std::string_view, 7> kKinds = {"plain",        "volatile", "atomic", "lock",
                                                    "thread_local", "constant", "unknown"};

void put_line(json& document, const std::optional<symbols::SourceLine>& source) {
  document["file"] = source ? json(source->file) : json(nullptr);
  document["line"] = source ? json(source->line) : json(nullptr);
}

json variable_json(const detect::RaceVariable& variable) {
  json document = {{"name", variable.name},
                   {"type", text_or_null(variable.type)},
                   {"kind", name_of(kKinds, variable.kind)},
                   {"address", fmt::format("{:#x}", variable.address)},
                   {"size", variable.size},
                   {"binary", text_or_null(variable.binary)}};
  put_line(document, variable.declared);
  return document;
}

json site_json(const detect::RaceSite& site) {
  json document = {{"function", text_or_null(site.code.function)},
                   {"offset", site.code.function_offset},
                   {"binary", text_or_null(site.code.binary)},
                   {"address", fmt::format("{:#x}", site.code.address)},
                   {"instruction", text_or_null(site.instruction)},
                   {"access", name_of(symbols::kAccessModeNames, site.mode)},
                   {"atomic", site.atomic},
                   {"width", site.width_bytes},
                   {"thread", site.tid},
                   {"thread_name", text_or_null(site.thread_name)},
                   {"inlined", json::array()}};
  put_line(document, site.code.source);
  for (const symbols::InlinedCall& call : site.code.inlined) {
    json one = {{"function", call.function}};
    put_line(one, call.source);
    document["inlined"].push_back(std::move(one));
  }
  json stack = stack_json(site.stack);
  document["stack"] = std::move(stack["frames"]);
  document["stack_trust"] = std::move(stack["trust"]);
  return document;
}

json lock_json(const detect::RaceLock& lock) {
  return {{"name", lock.name},
          {"address", fmt::format("{:#x}", lock.address)},
          {"held_by_first", lock.held_by_first},
          {"held_by_second", lock.held_by_second},
          {"held_share", lock.held_share > 0 ? json(lock.held_share) : json(nullptr)}};
}

json cost_json(const detect::RaceCost& cost) {
  const auto share = [&](std::int64_t of_ns) {
    return of_ns > 0 ? static_cast<double>(cost.charged_ns) / static_cast<double>(of_ns) : 0.0;
  };
  return {{"hits", cost.hits},
          {"hit_seconds", cost.hit_cost_ns * 1e-9},
          {"foreign_hits", cost.foreign_hits},
          {"holds", cost.holds},
          {"samples", cost.samples},
          {"hold_seconds", to_seconds(cost.hold_ns)},
          {"longest_hold_seconds", to_seconds(cost.longest_hold_ns)},
          {"armed_seconds", to_seconds(cost.armed_ns)},
          {"string_slowdown", cost.string_slowdown ? json(*cost.string_slowdown) : json(nullptr)},
          {"charged_seconds", to_seconds(cost.charged_ns)},
          {"elapsed_seconds", to_seconds(cost.elapsed_ns)},
          {"target_cpu_seconds", to_seconds(cost.target_cpu_ns)},
          {"share_of_one_cpu", share(cost.elapsed_ns)},
          {"share_of_target_cpu", share(cost.target_cpu_ns)},
          {"budget_share", cost.budget}};
}

json coverage_json(const plan::RotationCoverage& coverage) {
  return {{"variables", coverage.candidates},
          {"watched", coverage.visited},
          {"touched", coverage.touched},
          {"shared", coverage.shared},
          {"bytes", coverage.bytes},
          {"watched_bytes", coverage.visited_bytes},
          {"ratio", ratio(coverage.visited_bytes, coverage.bytes)},
          {"armed_seconds", to_seconds(coverage.armed_ns)}};
}

json sampled_json(const detect::SamplerFigures& sampled) {
  return {{"samples", sampled.samples},
          {"words", sampled.words_by_clock + sampled.words_by_turn},
          {"words_by_turn", sampled.words_by_turn},
          {"shared_words", sampled.shared_words},
          {"turns", sampled.turns},
          {"turns_met", sampled.turns_hit}};
}

json judged_json(const detect::RaceJudgeCounters& judged) {
  return {{"pairs", judged.pairs},
          {"races", judged.races},
          {"both_read", judged.both_read},
          {"both_atomic", judged.both_atomic},
          {"other_bytes", judged.other_bytes},
          {"unknown", judged.unknown},
          {"findings_lost", judged.findings_lost}};
}

}  // namespace

json race_finding_json(const detect::RaceFinding& finding) {
  json document = {{"id", detect::race_id(finding)},
                   {"verdict", name_of(detect::kVerdictNames, finding.verdict)},
                   {"kind", "data_race"},
                   {"evidence", name_of(kEvidence, finding.evidence)},
                   {"because", finding.because},
                   {"caveat", text_or_null(finding.caveat)},
                   {"variable", variable_json(finding.variable)},
                   {"sites", json::array()},
                   {"locks", json::array()},
                   {"count", finding.count},
                   {"first_seen", time_or_null(finding.first_seen_ns)},
                   {"last_seen", time_or_null(finding.last_seen_ns)},
                   {"seen", json::array()},
                   {"build_id", text_or_null(finding.variable.build_id)},
                   {"suppression", text_or_null(detect::suppression_for(finding))},
                   {"suppressed_by", text_or_null(finding.suppressed_by)}};
  for (const std::int64_t seen_ns : finding.seen_ns) {
    document["seen"].push_back(time_or_null(seen_ns));
  }
  for (const detect::RaceSite& site : finding.sites) {
    document["sites"].push_back(site_json(site));
  }
  for (const detect::RaceLock& lock : finding.locks) {
    document["locks"].push_back(lock_json(lock));
  }
  return document;
}

json booked_race_json(const detect::BookedRace& race) {
  json document = race_finding_json(race.finding);
  document["guard"] = race.guard;
  document["pid"] = race.pid;
  document["subject"] = race.finding.variable.name;
  document["text"] = detect::race_sentence(race.finding);
  return document;
}

json watch_json(const WatchView& watch) {
  json document = {{"wanted", watch.wanted},
                   {"trouble", text_or_null(watch.trouble)},
                   {"registers", watch.registers},
                   {"hits", watch.hits},
                   {"holds", watch.holds},
                   {"samples", watch.samples},
                   {"hold_seconds", to_seconds(watch.hold_ns)},
                   {"armed_seconds", to_seconds(watch.armed_ns)},
                   {"guards", json::array()}};
  for (const GuardWatchView& guard : watch.guards) {
    json races = json::object();
    for (std::size_t i = 0; i < detect::kVerdictNames.size(); ++i) {
      races[std::string(detect::kVerdictNames.at(i))] = guard.races.found.at(i);
    }
    document["guards"].push_back({{"guard", guard.guard},
                                  {"processes", guard.processes},
                                  {"coverage", coverage_json(guard.coverage)},
                                  {"races", std::move(races)},
                                  {"suppressed", guard.suppressed},
                                  {"notes", guard.notes}});
  }
  return document;
}

json race_report_json(const RaceReport& report) {
  Snapshot snapshot;  // of the locks alone
  snapshot.realtime_ns = report.realtime_ns;
  snapshot.locks = report.locks;
  const json locks = locks_json(snapshot);
  json document = {{"version", report.version},
                   {"started", time_or_null(report.realtime_ns - report.cost.elapsed_ns)},
                   {"time", time_or_null(report.realtime_ns)},
                   {"process", {{"pid", report.pid}, {"comm", report.comm}, {"exe", text_or_null(report.exe)}}},
                   {"findings", json::array()},
                   {"suppressed", 0},
                   {"cost", cost_json(report.cost)},
                   {"coverage", coverage_json(report.coverage)},
                   {"sampled", sampled_json(report.sampled)},
                   {"judged", judged_json(report.judged)},
                   {"drops", drops_json(report.drops)},
                   {"notes", report.notes},
                   {"locks", locks.at("locks")},
                   {"deadlocks", json::array()}};
  for (const detect::Finding& deadlock : report.deadlocks) {
    document["deadlocks"].push_back(finding_json(deadlock));
  }
  std::uint64_t suppressed = 0;
  for (const detect::RaceFinding& finding : report.findings) {
    if (finding.suppressed) {
      ++suppressed;
    } else {
      document["findings"].push_back(race_finding_json(finding));
    }
  }
  document["suppressed"] = suppressed;
  return document;
}

}  // namespace raceguard::exporting
