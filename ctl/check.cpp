// SPDX-License-Identifier: Apache-2.0
// check FILE...: the same as `raceguardd --check`, beside a running daemon and without its rights.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "daemon/check_policy.h"
#include "daemon/policy/load.h"

namespace raceguard::ctl {
namespace {

using nlohmann::json;

json errors_json(const policy::PolicyErrors& errors) {
  json list = json::array();
  for (const policy::PolicyError& each : errors.list()) {
    list.push_back({{"file", each.position.file},
                    {"line", each.position.line},
                    {"column", each.position.column},
                    {"code", std::string(describe(each.error.code()).id)},
                    {"what", each.error.what()},
                    {"remedy", each.error.remedy()}});
  }
  return list;
}

json probes_json(const plan::ProbePlan& plan) {
  json list = json::array();
  for (const plan::FunctionProbe& probe : plan.functions) {
    list.push_back({{"guard", probe.guard},
                    {"name", probe.name},
                    {"symbol", probe.symbol.demangled},
                    {"binary", probe.host_path},
                    {"site_offset", probe.site.function_offset},
                    {"instruction", probe.site.instruction}});
  }
  return list;
}

int check_as_json(const policy::PolicyResult& policy) {
  json document = {
      {"valid", false}, {"errors", json::array()}, {"functions", json::array()}, {"omissions", json::array()}};
  if (!policy) {
    document["errors"] = errors_json(policy.error());
    put(document);
    return kFailed;
  }
  const auto checked = app::plan_now(*policy);
  if (!checked) {
    return report(checked.error());
  }
  bool valid = true;
  for (const plan::Omission& omission : checked->plan.omissions) {
    const bool mistake = app::PolicyCheck::is_mistake(omission);
    valid = valid && !mistake;
    document["omissions"].push_back(
        {{"guard", omission.guard}, {"what", omission.what}, {"reason", omission.reason}, {"mistake", mistake}});
  }
  document["valid"] = valid;
  document["policies"] = policy->guards.size();
  document["targets"] = checked->targets;
  document["functions"] = probes_json(checked->plan);
  put(document);
  return valid ? kOk : kFailed;
}

}  // namespace

int run_check(const Invocation& invocation) {
  const std::vector<std::string>& names = invocation.values.find("file")->second;
  const auto policy = policy::load_policy({names.begin(), names.end()});
  if (invocation.json) {
    return check_as_json(policy);
  }
  if (!policy) {
    const std::string text = policy.error().to_string();  // bare lines, so that editors jump to FILE:LINE:COLUMN
    fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
    return kFailed;
  }
  return app::check_policy(*policy) == 0 ? kOk : kFailed;
}

}  // namespace raceguard::ctl
