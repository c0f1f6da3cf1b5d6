// SPDX-License-Identifier: Apache-2.0
#include "ctl/intercept_proposal.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/daemon_client.h"
#include "ctl/view_parts.h"
#include "daemon/intercept_sections.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kMostCandidates = 4;  // frames outwards: further out functions take longer

// Innermost first.
std::vector<std::string> candidates_of(const Doc& site) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && names.size() < kMostCandidates && std::ranges::find(names, name) == names.end()) {
      names.push_back(name);
    }
  };
  add(site.text("function"));
  for (const Doc& frame : site.list("stack")) {
    add(frame.text("function"));
  }
  return names;
}

Result<app::RequestedFunction> smallest_function(pid_t pid, const Doc& site) {
  Error last(ErrorCode::kSymbolNotFound, "a side of the race is in a function without a name",
             "Name functions by -p and -f; the stack in 'findings -o json' tells where it was");
  for (const std::string& name : candidates_of(site)) {
    app::InterceptRequest trial;
    trial.pid = pid;
    trial.functions.emplace_back().name = name;
    const auto sections = app::find_sections(trial);
    if (sections) {
      return trial.functions.front();
    }
    last = sections.error();
  }
  return fail(std::move(last));
}

Result<app::InterceptRequest> request_for(const Doc& race) {
  app::InterceptRequest request;
  request.pid = static_cast<pid_t>(race.number("pid"));
  for (const Doc& site : race.list("sites")) {
    auto function = smallest_function(request.pid, site);
    if (!function) {
      return fail(std::move(function).error());
    }
    const bool known =
        std::ranges::any_of(request.functions, [&](const auto& one) { return one.name == function->name; });
    if (!known) {
      request.functions.push_back(std::move(*function));
    }
  }
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
    text += "  " + printable(function.name) + "\n";
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
