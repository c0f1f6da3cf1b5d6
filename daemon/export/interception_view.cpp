// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/interception_view.h"

#include <array>
#include <string_view>

#include <nlohmann/json.hpp>

#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

#define RG_LABEL(name, label, help) std::string_view(label),
constexpr std::array kReasons = {RG_FAIL_OPEN_REASONS(RG_LABEL)};
constexpr std::array kGiveBacks = {RG_GIVE_BACKS(RG_LABEL)};
#undef RG_LABEL

template <typename Number>
double seconds(Number ns) {
  return static_cast<double>(ns) / static_cast<double>(kNsPerSecond);
}

template <std::size_t Size>
json by_label(const std::array<std::string_view, Size>& labels, const auto* counts) {
  json document = json::object();
  for (std::size_t i = 0; i < Size; ++i) {
    document[std::string(labels[i])] = counts[i];
  }
  return document;
}

json function_json(const detect::InterceptedCalls& function) {
  const rg_section_figures& figures = function.figures;
  const rg_u64 returned = figures.back[RG_BACK_RETURN];
  return {{"name", function.name},
          {"binary", function.binary},
          {"mode", function.is_reader ? "read" : "write"},
          {"key", function.key},
          {"entry", function.entry},
          {"exits", function.exits},
          {"whole", function.is_whole},
          {"calls", figures.calls},
          {"foreign_calls", figures.foreign},
          {"taken", figures.taken},
          {"reentered", figures.reentered},
          {"waits", figures.waits},
          {"wait_seconds", seconds(figures.wait_ns)},
          {"mean_wait_seconds", figures.waits == 0 ? 0 : seconds(figures.wait_ns) / static_cast<double>(figures.waits)},
          {"max_wait_seconds", seconds(figures.max_wait_ns)},
          {"mean_inside_seconds", returned == 0 ? 0 : seconds(figures.inside_ns) / static_cast<double>(returned)},
          {"max_inside_seconds", seconds(figures.max_inside_ns)},
          {"ticks", figures.ticks},
          {"tick_seconds", seconds(figures.tick_ns)},
          {"preempted", figures.preempted},
          {"slept", figures.slept},
          {"probes_seconds", seconds(function.probes_ns)},
          {"fail_open", by_label(kReasons, figures.open)},
          {"given_back", by_label(kGiveBacks, figures.back)}};
}

}  // namespace

json fail_open_json(const std::array<std::uint64_t, RG_OPEN_COUNT>& counts) {
  return by_label(kReasons, counts.data());
}

json interception_json(const detect::Interception& interception) {
  const detect::InterceptionSums sums = detect::sums_of(interception);
  json document = {{"pid", interception.pid},
                   {"exe", interception.exe},
                   {"elapsed_seconds", seconds(interception.elapsed_ns)},
                   {"target_cpu_seconds", seconds(interception.target_cpu_ns)},
                   {"calls", sums.calls},
                   {"taken", sums.taken},
                   {"waits", sums.waits},
                   {"fail_open", sums.opened},
                   {"wait_seconds", seconds(sums.wait_ns)},
                   {"cost_seconds", seconds(sums.cost_ns)},
                   {"cost_share", detect::cost_share(sums.cost_ns, interception.target_cpu_ns)},
                   {"budget_share", interception.budget},
                   {"dry_run", interception.dry_run},
                   {"withdrawn", interception.withdrawn},
                   {"ended", interception.ended},
                   {"notes", interception.notes},
                   {"functions", json::array()}};
  for (const detect::InterceptedCalls& function : interception.functions) {
    document["functions"].push_back(function_json(function));
  }
  return document;
}

}  // namespace raceguard::exporting
