// SPDX-License-Identifier: Apache-2.0
// The daemon's one loop thread: a timer, the ring, the control socket, signals, systemd's watchdog (sd-event).
// The other threads are the HTTP server's (daemon/export), which reads snapshots, the one that takes probes away
// (daemon/kernel/detacher.h), the search for data races (daemon/race_thread.h), lock bursts (daemon/burst_thread.h) and
// interceptions (daemon/interception_thread.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "raceguard/error.h"

struct sd_event;

namespace raceguard::app {

class ServiceLoop {
 public:
  // Blocks SIGTERM, SIGINT and SIGHUP in the calling thread, so that threads started later inherit the mask.
  static Result<ServiceLoop> create();

  ServiceLoop(ServiceLoop&&) noexcept;
  ServiceLoop& operator=(ServiceLoop&&) noexcept;
  ~ServiceLoop();

  [[nodiscard]] Result<void> add_timer(std::int64_t period_ns, std::function<void()> handler);
  // What it returns calls the handler once, so many nanoseconds later; called again before that, it moves the time.
  [[nodiscard]] Result<std::function<void(std::int64_t)>> add_alarm(std::function<void()> handler);
  [[nodiscard]] Result<void> on_hangup(std::function<void()> handler);

  [[nodiscard]] sd_event* native() const;

  // Until SIGTERM or SIGINT. Returns the signal's name.
  [[nodiscard]] Result<std::string> run();

 private:
  struct Impl;
  explicit ServiceLoop(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What systemd is told (sd_notify); does nothing when not started by it.
void notify_ready(const std::string& status);
void notify_reloading();
void notify_stopping();

}  // namespace raceguard::app
