// SPDX-License-Identifier: Apache-2.0
// One process watched for a while: its races and its contended locks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/export/race_views.h"
#include "daemon/observer.h"
#include "daemon/prober.h"
#include "daemon/race_watch.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::ctl {

class Recording {
 public:
  static Result<std::unique_ptr<Recording>> open(const app::RaceWatchOptions& options, const Clock& clock);
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // As often as races().pause_ns() says. kTargetGone: the process ended.
  [[nodiscard]] Result<void> step();
  [[nodiscard]] const app::RaceWatch& races() const { return *races_; }
  [[nodiscard]] exporting::RaceReport report() const;

 private:
  Recording(pid_t pid, const Clock& clock, kernel::Watcher watcher);
  [[nodiscard]] Result<void> watch_locks();
  [[nodiscard]] Result<void> step_locks(std::int64_t now_ns);
  [[nodiscard]] Result<void> turn_locks(std::int64_t now_ns);
  [[nodiscard]] Result<void> read_locks(std::int64_t now_ns);
  [[nodiscard]] Result<void> look_for_deadlocks(std::int64_t now_ns);

  pid_t pid_;
  const Clock& clock_;
  app::WatchRegisters registers_;
  std::unique_ptr<app::RaceWatch> races_;
  std::unique_ptr<app::Prober> prober_;  // null: the contention watch could not be had
  std::unique_ptr<app::Observer> observer_;
  std::string locks_note_;
  std::int64_t next_read_ns_ = 0;
  std::int64_t next_threads_ns_ = 0;
  bool locks_have_turn_ = true;
  std::int64_t locks_since_ns_ = 0;    // begin of this turn, or of this rest
  std::int64_t locks_watched_ns_ = 0;  // in turns that are over
};

}  // namespace raceguard::ctl
