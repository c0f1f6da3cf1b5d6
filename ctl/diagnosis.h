// SPDX-License-Identifier: Apache-2.0
// What `doctor` found: one line a check, with the command that mends it.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ctl/text.h"

namespace raceguard::ctl {

enum class Health {
  kGood,
  kPoor,     // raceguard works, with less
  kMissing,  // raceguard does not work without it
};

struct Diagnosis {
  Health health = Health::kGood;
  std::string area;   // "kernel" "rights" "daemon" "binary"
  std::string found;  // what is there or missing
  std::string mend;   // a command, or what to do; empty: nothing to do
};

[[nodiscard]] std::string diagnoses_text(const std::vector<Diagnosis>& all, const Style& style);
[[nodiscard]] nlohmann::json diagnoses_json(const std::vector<Diagnosis>& all);
[[nodiscard]] bool healthy(const std::vector<Diagnosis>& all);  // nothing that is needed is missing

// The parts of the examination.
struct Invocation;
[[nodiscard]] std::vector<Diagnosis> examine_kernel();
[[nodiscard]] std::vector<Diagnosis> examine_rights();
[[nodiscard]] std::vector<Diagnosis> examine_daemon(const Invocation& invocation);
[[nodiscard]] std::vector<Diagnosis> examine_binary(const std::string& host_path, const std::string& shown_as);
[[nodiscard]] std::vector<Diagnosis> examine_process(long pid);

}  // namespace raceguard::ctl
