// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception_desk.h"

#include <utility>

namespace raceguard::app {

void InterceptionDesk::follow(const targets::TargetSet& targets) {
  std::map<targets::ProcessId, std::string> processes;
  for (targets::Target& target : targets.list()) {
    processes.emplace(target.id, std::move(target.guard));
  }
  book_.follow(std::move(processes));
}

void InterceptionDesk::take_in(const breaker::Instant& now) {
  const auto [news, proposals] = thread_.take();
  book_.take_in(news, proposals, now);
}

std::vector<InterceptionRecord> InterceptionDesk::tick(const InterceptionInput& input, const detect::RaceBook& races) {
  take_in(input.now);
  book_.step(input, races);
  thread_.add(book_.take_proposals());
  if (book_.take_work_changed()) {
    thread_.set_work(book_.work());
  }
  return book_.take_records();
}

std::vector<InterceptionRecord> InterceptionDesk::end(const std::string& why) {
  thread_.end(why);
  take_in({.monotonic_ns = clock_.monotonic_ns(), .realtime_ns = clock_.realtime_ns()});
  return book_.take_records();
}

}  // namespace raceguard::app
