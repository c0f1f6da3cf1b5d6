// SPDX-License-Identifier: Apache-2.0
// The commands that one request to the daemon answers.
#include <array>

#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/views.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;
using Render = std::string (*)(const Doc&, const Style&);

struct View {
  std::string_view name;
  Render render;
};
constexpr std::array kViews = {
    View{"status", status_text},
    View{"targets", targets_text},
    View{"locks", locks_text},
    View{"functions", functions_text},
    View{"switches", switches_text},
    View{"explain", explain_text},
    View{"interceptions", interceptions_text},
};

int ask(const Invocation& invocation, const std::string& method, const json& params, Render render) {
  const auto answer = ask_daemon(invocation, method, params);
  if (!answer) {
    return report(answer.error());
  }
  return invocation.json ? put(*answer) : put(render(Doc(*answer), invocation.style));
}

}  // namespace

int run_view(const Invocation& invocation) {
  json params = json::object();
  if (invocation.given("limit")) {
    const auto limit = parse_number("--limit", invocation.value("limit"), 1, 100'000);
    if (!limit) {
      return report(limit.error());
    }
    params["limit"] = *limit;
  }
  if (invocation.given("switch")) {
    params["switch"] = invocation.value("switch");
  }
  for (const View& view : kViews) {
    if (view.name == invocation.command) {
      return ask(invocation, invocation.command, params, view.render);
    }
  }
  return kUsage;
}

int run_findings(const Invocation& invocation) {
  if (!invocation.given("suppress")) {
    return invocation.given("reason") ? report(Error(ErrorCode::kUsage, "--reason goes with --suppress"))
                                      : ask(invocation, "findings", json::object(), findings_text);
  }
  json params = {{"id", invocation.value("suppress")}};
  if (invocation.given("reason")) {
    params["reason"] = invocation.value("reason");
  }
  return ask(invocation, "suppress", params, suppressed_text);
}

int run_force(const Invocation& invocation) {
  json params = {{"switch", invocation.value("switch")},
                 {"state", invocation.value("state")},
                 {"reason", invocation.value("reason")}};
  if (invocation.given("for")) {
    const auto seconds = parse_duration(invocation.value("for"));
    if (!seconds) {
      return report(seconds.error());
    }
    params["ttl_seconds"] = *seconds;
  }
  if (invocation.value("reason").find_first_not_of(" \t") == std::string::npos) {
    return report(
        Error(ErrorCode::kUsage, "--reason is empty", "Say why: it goes into the evidence, and 'explain' shows it"));
  }
  return ask(invocation, "force", params, acted_text);
}

int run_release(const Invocation& invocation) {
  return ask(invocation, "release", {{"switch", invocation.value("switch")}}, acted_text);
}

int run_reload(const Invocation& invocation) { return ask(invocation, "reload", json::object(), acted_text); }

}  // namespace raceguard::ctl
