// SPDX-License-Identifier: Apache-2.0
// What passes between the daemon's loop, which decides what is kept apart, and the thread that does it.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "daemon/detect/interception.h"
#include "daemon/export/interceptions_view.h"
#include "daemon/intercept_request.h"
#include "daemon/intercept_sections.h"
#include "daemon/targets/target.h"

namespace raceguard::app {

using exporting::InterceptionCause;

struct InterceptionId {
  std::string guard;
  InterceptionCause cause = InterceptionCause::kSwitch;
  std::string name;  // of the switch, or the finding's id
  targets::ProcessId process;
  friend auto operator<=>(const InterceptionId&, const InterceptionId&) = default;
};

struct InterceptionOrder {
  std::uint64_t attempt = 1;  // another number: to be begun anew
  InterceptRequest request;   // without functions: those of the race
  RaceSides sides;
};

// What could be kept apart, is asked.
struct ProposalOrder {
  std::string guard;
  std::string finding;
  targets::ProcessId process;
  RaceSides sides;
};

struct InterceptionWork {
  std::map<InterceptionId, InterceptionOrder> orders;
  std::map<InterceptionId, std::string> ends;  // why those are over that are no order any more
};

struct InterceptionNews {
  enum class What {
    kBegun,
    kGoesOn,
    kEnded,   // figures.ended says why; ordered or by itself
    kFailed,  // to begin: `failure`
  };
  InterceptionId id;
  std::uint64_t attempt = 0;
  What what = What::kGoesOn;
  detect::Interception figures;
  std::string failure;
};

struct ProposalNews {
  std::string guard;
  std::string finding;
  pid_t pid = 0;
  std::vector<RequestedFunction> functions;
  std::string failure;  // empty: `functions` it is
};

}  // namespace raceguard::app
