// SPDX-License-Identifier: Apache-2.0
// features: what this kernel lets raceguard do, and what a hit of each kind costs here.
#include "daemon/kernel/features.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/document.h"
#include "ctl/hit_cost.h"
#include "daemon/kernel/calibrate.h"

namespace raceguard::ctl {
namespace {

using kernel::Feature;

nlohmann::json feature_json(const Feature& feature) {
  const char* name = feature.error == 0 ? nullptr : strerrorname_np(feature.error);
  return {{"name", feature.name},         {"available", feature.available},
          {"required", feature.required}, {"how", feature.how},
          {"detail", feature.detail},     {"used_for", feature.used_for},
          {"without", feature.without},   {"remedy", feature.remedy},
          {"since", feature.since},       {"errno", name == nullptr ? nlohmann::json(nullptr) : nlohmann::json(name)}};
}

std::string feature_text(const std::vector<Feature>& features, const Style& style) {
  Table table({{"FEATURE"}, {"HERE"}, {"SINCE LINUX"}, {"FOR", Align::kLeft, Shrink::kEnd}}, style);
  for (const Feature& each : features) {
    const std::string since = each.since.substr(0, each.since.find(" ("));
    table.row({each.name,
               each.available  ? "yes"
               : each.required ? "NO"
                               : "no",
               since, each.used_for},
              each.available  ? Tone::kPlain
              : each.required ? Tone::kBad
                              : Tone::kWarn);
    if (each.available) {
      continue;
    }
    std::string why = each.how + ": " + (each.error == 0 ? "did not work" : strerrordesc_np(each.error));
    why += each.detail.empty() ? "" : ". " + printable(each.detail);
    std::string note = wrap(why, style.width, 2) + wrap("Without it: " + each.without, style.width, 2) +
                       wrap("To get it: " + each.remedy, style.width, 2);
    note.pop_back();
    table.note(style.paint(note, Tone::kDim));
  }
  return table.render();
}

nlohmann::json cost_json(const kernel::HitCost& cost) {
  return {{"instruction", cost.instruction},
          {"kind", cost.site_kind ? nlohmann::json(kind_name(*cost.site_kind)) : nlohmann::json(nullptr)},
          {"seconds", cost.ns * 1e-9}};
}

std::string cost_text(const kernel::Calibration& calibration, const Style& style) {
  Table table({{"HIT OF"}, {"KIND"}, {"ADDS", Align::kRight}}, style);
  for (const kernel::HitCost& cost : calibration.costs) {
    table.row({cost.instruction, cost.site_kind ? kind_name(*cost.site_kind) : "", duration(cost.ns * 1e-9)});
  }
  for (const Error& failure : calibration.failures) {
    table.note(style.paint("not measured: " + printable(failure.to_string()), Tone::kDim));
  }
  const auto slowdown = calibration.string_slowdown;
  return table.render() + "While a watchpoint on data is armed, string instructions (memcpy, read, write) are " +
         (slowdown ? fmt::format("{:.1f} times slower.\n", *slowdown) : "slower by a factor that is not known.\n");
}

}  // namespace

int run_features(const Invocation& invocation) {
  const std::vector<Feature> features = kernel::probe_features();
  bool runs = true;
  nlohmann::json document = {{"root", ::geteuid() == 0}, {"features", nlohmann::json::array()}};
  for (const Feature& each : features) {
    runs = runs && (each.available || !each.required);
    document["features"].push_back(feature_json(each));
  }
  std::string text = feature_text(features, invocation.style);
  if (::geteuid() == 0) {
    const kernel::Calibration calibration = kernel::calibrate();
    document["hit_costs"] = nlohmann::json::array();
    std::transform(calibration.costs.begin(), calibration.costs.end(), std::back_inserter(document["hit_costs"]),
                   cost_json);
    document["string_slowdown"] =
        calibration.string_slowdown ? nlohmann::json(*calibration.string_slowdown) : nlohmann::json(nullptr);
    text += "\n" + cost_text(calibration, invocation.style);
  } else {
    text += "Tried without root: a \"no\" may be a missing right and not a missing feature. Run it again with sudo.\n";
  }
  const int written = invocation.json ? put(document) : put(text);
  return written != kOk ? written : runs ? kOk : kFailed;
}

}  // namespace raceguard::ctl
