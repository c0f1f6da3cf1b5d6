// SPDX-License-Identifier: Apache-2.0
// The parts of doctor that look at the machine: kernel, rights, the daemon.
#include <grp.h>
#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/daemon_client.h"
#include "ctl/diagnosis.h"
#include "ctl/document.h"
#include "daemon/kernel/features.h"

namespace raceguard::ctl {
namespace {

struct Right {
  unsigned number;
  const char* name;
  const char* used_for;
};
constexpr std::array kRights = {
    Right{CAP_BPF, "CAP_BPF", "loading BPF programs"},
    Right{CAP_PERFMON, "CAP_PERFMON", "attaching them"},
    Right{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "reading other users' processes"},
    Right{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "reading their binaries"},
    Right{CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "probes where uprobe_multi is missing, deleted binaries"},
};

std::uint64_t effective_rights() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("CapEff:")) {
      return std::stoull(line.substr(7), nullptr, 16);
    }
  }
  return 0;
}

Diagnosis feature_found(const kernel::Feature& feature, bool root) {
  if (feature.available) {
    return {Health::kGood, "kernel", feature.detail.empty() ? feature.name : feature.name + ": " + feature.detail, {}};
  }
  if (feature.without.starts_with("nothing")) {
    return {
        Health::kGood, "kernel", fmt::format("{} is not there: that takes {} away", feature.name, feature.without), {}};
  }
  const std::string why = feature.error == 0 ? feature.detail : std::string(strerrordesc_np(feature.error));
  return {feature.required && root ? Health::kMissing : Health::kPoor, "kernel",
          fmt::format("{} is not there ({}{}): {}", feature.name, why.empty() ? "tried" : why,
                      root ? "" : ", tried without root", feature.without),
          root ? feature.remedy : "run doctor as root to try it with rights"};
}

Diagnosis group_found() {
  if (::getgrnam("raceguard") != nullptr) {
    return {Health::kGood, "rights", "group raceguard is there: its members may use raceguardctl", {}};
  }
  return {Health::kPoor, "rights", "group raceguard is not there: only root may use raceguardctl",
          "systemd-sysusers (with systemd/raceguard.sysusers installed), or: groupadd --system raceguard"};
}

std::vector<Diagnosis> status_found(const Doc& status) {
  std::vector<Diagnosis> found;
  const std::string name = fmt::format("raceguardd {} (pid {:.0f})", status.text("version"), status.number("pid"));
  if (status.flag("ready")) {
    found.push_back({Health::kGood, "daemon", name + " answers and is ready", {}});
  } else {
    found.push_back({Health::kMissing, "daemon", name + " is not ready: " + status.text("not_ready_reason", "?"),
                     "journalctl -u raceguard"});
  }
  if (status.at("policy").has("last_error")) {
    found.push_back({Health::kPoor, "daemon", "the last reload was refused: " + status.at("policy").text("last_error"),
                     "mend the policy, then: raceguardctl reload"});
  }
  for (const Doc& omission : status.list("omissions")) {
    found.push_back({Health::kPoor,
                     "daemon",
                     fmt::format("{} does not watch {}: {}", omission.text("guard"), omission.text("what"),
                                 omission.text("reason")),
                     {}});
  }
  if (const double lost = status.at("evidence").number("lost"); lost > 0) {
    found.push_back({Health::kPoor, "daemon", plural(lost, "evidence record") + " could not be written",
                     "make room where daemon.evidence_file is: df -h /var/lib/raceguard"});
  }
  for (const auto& [reason, number] : status.entries("drops")) {
    if (const double lost = number.number().value_or(0); lost > 0 && reason != "sampled_out") {
      found.push_back({Health::kPoor, "daemon", fmt::format("lost {} for the reason {}", count(lost), reason),
                       "see docs/metrics.md for the reason"});
    }
  }
  return found;
}

}  // namespace

std::vector<Diagnosis> examine_kernel() {
  std::vector<Diagnosis> found;
  for (const kernel::Feature& feature : kernel::probe_features()) {
    found.push_back(feature_found(feature, ::geteuid() == 0));
  }
  return found;
}

std::vector<Diagnosis> examine_rights() {
  std::vector<Diagnosis> found;
  const std::uint64_t rights = effective_rights();
  for (const Right& right : kRights) {
    const bool held = (rights >> right.number & 1U) != 0;
    found.push_back({held ? Health::kGood : Health::kPoor, "rights",
                     fmt::format("{} is {} here: {}", right.name, held ? "held" : "not held", right.used_for),
                     held ? "" : "run doctor as root, or with the rights of systemd/raceguard.service"});
  }
  found.push_back(group_found());
  return found;
}

std::vector<Diagnosis> examine_daemon(const Invocation& invocation) {
  const auto status = ask_daemon(invocation, "status", nlohmann::json::object());
  if (status) {
    return status_found(Doc(*status));
  }
  // No socket at all: it was not started, which is no fault of the machine. A socket that gives no answer is one.
  const bool not_started = ::access(invocation.socket_path().c_str(), F_OK) != 0 && errno == ENOENT;
  return {{not_started ? Health::kPoor : Health::kMissing, "daemon", status.error().what(),
           not_started ? "systemctl start raceguard" : status.error().remedy()}};
}

}  // namespace raceguard::ctl
