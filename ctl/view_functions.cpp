// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "ctl/view_parts.h"
#include "ctl/views.h"

namespace raceguard::ctl {

std::string functions_text(const Doc& document, const Style& style) {
  Table table({{"FUNCTION", Align::kLeft, Shrink::kMiddle},
               {"CALLS", Align::kRight},
               {"NOW", Align::kRight},
               {"P50", Align::kRight},
               {"P99", Align::kRight},
               {"MAX", Align::kRight},
               {"SLOW", Align::kRight},
               {"FAIL", Align::kRight},
               {"COST", Align::kRight},
               {"GUARD"},
               {"PROBE", Align::kLeft, Shrink::kMiddle}},
              style);
  const std::vector<Doc> functions = document.list("functions");
  for (const Doc& each : functions) {
    const Doc time = each.at("duration_seconds");
    const Doc probe = each.at("probe");
    const bool watched = each.has("probe");
    table.row(
        {short_function(each.text("symbol", each.text("name"))), count(each.number("calls")),
         count(each.number("in_flight")), quantile(time, "p50"), quantile(time, "p99"), duration(time.number("max")),
         probe.has("slow_threshold_seconds") ? percent(each.number("slow_ratio")) : "-",
         percent(each.number("error_ratio")), percent(each.at("probe_cost").number("share")), each.text("guard"),
         watched
             ? fmt::format("{} a call, +{:#x} {}", duration(each.at("probe_cost").number("per_call_seconds")),
                           static_cast<unsigned long>(probe.number("site_offset")), measured_name(probe.text("kind")))
             : "none"});
  }
  std::string text =
      table.empty() ? "no guarded functions; 'raceguardctl status' says what could not be watched\n" : table.render();
  const double total = document.number("total");
  if (total > static_cast<double>(functions.size())) {
    text +=
        fmt::format("the {} of {} with the most total time; --limit N shows more\n", functions.size(), count(total));
  }
  return text + exemption_lines(document, document.list("exemptions"), style);
}

}  // namespace raceguard::ctl
