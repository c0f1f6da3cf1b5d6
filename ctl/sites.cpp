// SPDX-License-Identifier: Apache-2.0
// sites BINARY SYMBOL: the candidates of each function that matches, the choice, and what a hit costs there.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/hit_cost.h"
#include "ctl/view_parts.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/site_choice.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using symbols::Site;
using symbols::SiteChoice;

struct Function {
  symbols::Symbol symbol;
  Result<SiteChoice> choice;
};

struct Answer {
  const symbols::ElfFile& file;
  std::vector<Function> functions;
  HitCosts costs;
};

json site_json(const Site& site, const HitCosts& costs) {
  const auto cost = costs.seconds.find(site.kind);
  return {{"offset", site.function_offset},
          {"file_offset", site.file_offset},
          {"instruction", site.instruction},
          {"kind", kind_name(site.kind)},
          {"cfa_offset", site.cfa_offset},
          {"takes_return_probe", site.takes_return_probe},
          {"intact_arguments", site.intact_arguments},
          {"may_repeat", site.may_repeat},
          {"hit_seconds", cost == costs.seconds.end() ? json(nullptr) : json(cost->second)},
          {"why", site.why}};
}

json function_json(const Function& function, const HitCosts& costs) {
  json document = {{"name", function.symbol.name},
                   {"demangled", function.symbol.demangled},
                   {"address", fmt::format("{:#x}", function.symbol.address)},
                   {"file_offset", function.symbol.file_offset},
                   {"size", function.symbol.size},
                   {"candidates", json::array()},
                   {"chosen", nullptr},
                   {"error", nullptr}};
  if (!function.choice) {
    document["error"] = function.choice.error().to_string();
    return document;
  }
  for (const Site& site : function.choice->candidates) {
    document["candidates"].push_back(site_json(site, costs));
  }
  if (function.choice->chosen) {
    document["chosen"] = *function.choice->chosen;
  }
  return document;
}

json answer_json(const Answer& answer) {
  json document = {
      {"binary", answer.file.path()},
      {"build_id", answer.file.build_id()},
      {"debug_file", answer.file.debug_file()},
      {"go", answer.file.is_go()},
      {"costs_not_measured", answer.costs.not_measured},
      {"return_seconds", answer.costs.return_seconds > 0 ? json(answer.costs.return_seconds) : json(nullptr)},
      {"functions", json::array()}};
  for (const Function& function : answer.functions) {
    document["functions"].push_back(function_json(function, answer.costs));
  }
  return document;
}

std::string function_text(const Function& function, const HitCosts& costs, const Style& style) {
  std::string text = "\n" + style.paint(printable(function.symbol.demangled), Tone::kBold);
  text += fmt::format(
      "  at {:#x}, {}\n", function.symbol.file_offset,
      function.symbol.size == 0 ? "of unknown size" : plural(static_cast<double>(function.symbol.size), "byte"));
  if (!function.choice) {
    return text + wrap(printable(function.choice.error().to_string()), style.width, 2);
  }
  Table table({{"  "},
               {"OFFSET", Align::kRight},
               {"INSTRUCTION", Align::kLeft, Shrink::kMiddle},
               {"KIND"},
               {"CFA", Align::kRight},
               {"ARGS", Align::kRight},
               {"RETURN"},
               {"A HIT COSTS", Align::kRight}},
              style);
  const std::vector<Site>& sites = function.choice->candidates;
  for (std::size_t i = 0; i < sites.size(); ++i) {
    const bool chosen = function.choice->chosen == i;
    const auto cost = costs.seconds.find(sites[i].kind);
    table.row({chosen ? "->" : "  ", fmt::format("+{:#x}", sites[i].function_offset), sites[i].instruction,
               measured_name(kind_name(sites[i].kind)), fmt::format("sp+{}", sites[i].cfa_offset),
               fmt::format("{}", sites[i].intact_arguments), sites[i].takes_return_probe ? "yes" : "no",
               cost == costs.seconds.end() ? "?" : duration(cost->second)},
              chosen ? Tone::kGood : Tone::kPlain);
    std::string why =
        wrap((sites[i].may_repeat ? "may be hit more than once a call; " : "") + sites[i].why, style.width, 12);
    why.pop_back();
    table.note(style.paint(why, Tone::kDim));
  }
  text += table.render();
  return function.choice->chosen ? text : text + "  no site can be probed\n";
}

std::string answer_text(const Answer& answer, const Style& style) {
  const std::string& build_id = answer.file.build_id();
  const std::string debug = answer.file.debug_file();
  std::string text = fmt::format("{}  build-id {}{}\n", answer.file.path(), build_id.empty() ? "none" : build_id,
                                 debug.empty() ? "" : ", symbols also from " + debug);
  for (const Function& function : answer.functions) {
    text += function_text(function, answer.costs, style);
  }
  text += "\n" + wrap(
                     "-> is where raceguard would probe. ARGS: leading arguments that are still in their registers. "
                     "RETURN: a return probe may sit there.",
                     style.width, 0);
  if (answer.costs.return_seconds > 0) {
    text += fmt::format("A return probe adds {} a call.\n", duration(answer.costs.return_seconds));
  }
  if (!answer.costs.not_measured.empty()) {
    text += wrap("Not measured: " + answer.costs.not_measured, style.width, 0);
  }
  return text;
}

}  // namespace

int run_sites(const Invocation& invocation) {
  const auto file = symbols::ElfFile::open(invocation.value("binary"));
  if (!file) {
    return report(file.error());
  }
  const auto found = file->find_functions(invocation.value("symbol"));
  if (!found) {
    return report(found.error());
  }
  const symbols::SiteOptions options{
      .need_return_probe = !invocation.given("entry-only"), .arguments_needed = 0, .kernel = {}};
  Answer answer{.file = *file, .functions = {}, .costs = measure_hit_costs()};
  bool probed = false;
  for (const symbols::Symbol& symbol : *found) {
    answer.functions.push_back({symbol, symbols::choose_site(*file, symbol, options)});
    const Result<SiteChoice>& choice = answer.functions.back().choice;
    probed = probed || (choice && choice->chosen);
  }
  const int written = invocation.json ? put(answer_json(answer)) : put(answer_text(answer, invocation.style));
  return written != kOk ? written : probed ? kOk : kFailed;
}

}  // namespace raceguard::ctl
