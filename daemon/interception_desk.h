// SPDX-License-Identifier: Apache-2.0
// Interceptions in the daemon: the book decides (interception_book.h), the thread carries out (interception_thread.h).
#pragma once

#include <string>
#include <vector>

#include "daemon/interception_book.h"
#include "daemon/interception_thread.h"
#include "daemon/targets/target_set.h"
#include "raceguard/clock.h"

namespace raceguard::app {

class InterceptionDesk {
 public:
  // `clock` must outlive the desk.
  InterceptionDesk(const policy::Policy& policy, const Clock& clock) : book_(policy), thread_(clock), clock_(clock) {}

  void reload(const policy::Policy& policy) { book_.reload(policy); }
  void follow(const targets::TargetSet& targets);
  // Once a tick. What happened since the last one, to be told and written down.
  std::vector<InterceptionRecord> tick(const InterceptionInput& input, const detect::RaceBook& races);
  // Ends all, and waits until that is done.
  std::vector<InterceptionRecord> end(const std::string& why);

  // Variables that the search for races is to look at each second.
  [[nodiscard]] std::map<targets::ProcessId, std::vector<WantedVariable>> wanted() const { return book_.wanted(); }
  [[nodiscard]] exporting::InterceptionsView view() const { return book_.view(); }

 private:
  void take_in(const breaker::Instant& now);

  InterceptionBook book_;
  InterceptionThread thread_;
  const Clock& clock_;
};

}  // namespace raceguard::app
