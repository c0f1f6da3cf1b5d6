// SPDX-License-Identifier: Apache-2.0
#include "ctl/intercept_proposal.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/daemon_client.h"
#include "ctl/view_parts.h"
#include "daemon/intercept_proposal.h"

namespace raceguard::ctl {
namespace {

app::RaceSides sides_of(const Doc& race) {
  app::RaceSides sides;
  for (const Doc& site : race.list("sites")) {
    app::RaceSide side;
    if (site.text("instruction").empty()) {
      side.add(site.text("function"), site.text("binary"));
    } else {
      side.add_access(site.text("function"), site.text("binary"), static_cast<std::uint64_t>(site.number("offset")));
    }
    for (const Doc& frame : site.list("stack")) {
      side.add(frame.text("function"), frame.text("binary"));
    }
    sides.push_back(side.take());
  }
  return sides;
}

Result<app::InterceptRequest> request_for(const Doc& race) {
  app::InterceptRequest request;
  request.pid = static_cast<pid_t>(race.number("pid"));
  auto functions = app::find_innermost(request.pid, sides_of(race));
  if (!functions) {
    return fail(std::move(functions).error());
  }
  request.functions = std::move(*functions);
  return request;
}

std::string shell_word(const std::string& text) {
  const bool plain = std::ranges::all_of(text, [](unsigned char byte) {
    return std::isalnum(byte) != 0 || byte == '_' || byte == ':' || byte == ',' || byte == '.';
  });
  return plain ? text : "'" + text + "'";
}

}  // namespace

Result<app::InterceptRequest> propose(const Invocation& invocation, const std::string& finding) {
  const auto answer = ask_daemon(invocation, "findings", nlohmann::json::object());
  if (!answer) {
    return fail(answer.error());
  }
  for (const Doc& each : Doc(*answer).list("findings")) {
    if (each.text("id") != finding) {
      continue;
    }
    if (each.text("kind") != "data_race" || each.text("verdict") != "proven" || each.list("sites").size() != 2) {
      return fail(ErrorCode::kUsage, fmt::format("finding {} is no proven data race with two sides", finding),
                  "Name the functions that must not overlap by -p and -f");
    }
    return request_for(each);
  }
  return fail(ErrorCode::kFindingUnknown, fmt::format("the daemon has no finding {}", finding),
              "'raceguardctl findings' lists them");
}

std::string proposal_text(const app::InterceptRequest& request, const std::string& finding) {
  std::string text = fmt::format("to close finding {} in pid {}, keep these from overlapping:\n", finding, request.pid);
  for (const app::RequestedFunction& function : request.functions) {
    text += "  " + printable(app::name_with_accesses(function)) + "\n";
  }
  return text +
         fmt::format("raceguardctl intercept {} --dry-run measures how often they are called and overlap,\n", finding) +
         fmt::format("raceguardctl intercept {} --enforce --for 1h does it\n", finding);
}

std::string intercept_command(const Doc& race, const std::string& pid) {
  std::string names;
  for (const Doc& site : race.list("sites")) {
    const std::string name = short_function(site.text("function"));
    if (name.empty()) {
      return {};
    }
    if (name != names) {
      names += (names.empty() ? "" : ",") + name;
    }
  }
  return names.empty() ? names : fmt::format("raceguardctl intercept -p {} -f {}", pid, shell_word(names));
}

}  // namespace raceguard::ctl
