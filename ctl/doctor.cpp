// SPDX-License-Identifier: Apache-2.0
// doctor: everything that raceguard needs of this machine, in one list.
#include <limits>

#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/diagnosis.h"

namespace raceguard::ctl {
namespace {

void add(std::vector<Diagnosis>& all, std::vector<Diagnosis> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

int run_doctor(const Invocation& invocation) {
  std::vector<Diagnosis> all;
  if (invocation.given("pid")) {
    const auto pid = parse_number("--pid", invocation.value("pid"), 1, std::numeric_limits<int>::max());
    if (!pid) {
      return report(pid.error());
    }
    add(all, examine_process(*pid));
  }
  if (invocation.given("binary")) {
    add(all, examine_binary(invocation.value("binary"), invocation.value("binary")));
  }
  add(all, examine_kernel());
  add(all, examine_rights());
  add(all, examine_daemon(invocation));
  const int written = invocation.json ? put(diagnoses_json(all)) : put(diagnoses_text(all, invocation.style));
  return written != kOk ? written : healthy(all) ? kOk : kFailed;
}

}  // namespace raceguard::ctl
