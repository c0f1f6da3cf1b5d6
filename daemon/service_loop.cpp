// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_loop.h"

#include <pthread.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <vector>

#include <fmt/format.h>

#include "raceguard/clock.h"

namespace raceguard::app {
namespace {

struct EventUnref {
  void operator()(sd_event* event) const { sd_event_unref(event); }
};

Result<void> check(int status, const char* what) {
  if (status < 0) {
    return fail_errno(ErrorCode::kDaemonSetup, fmt::format("cannot {}", what), -status);
  }
  return {};
}

struct SourceUnref {
  void operator()(sd_event_source* source) const { sd_event_source_unref(source); }
};

// sd-event hands a void* back; each registration owns its handler for as long as the loop lives.
struct Timer {
  std::uint64_t period_us = 0;
  std::function<void()> handler;
};

int on_time(sd_event_source* source, std::uint64_t scheduled_us, void* data) {
  auto* timer = static_cast<Timer*>(data);
  timer->handler();
  std::uint64_t now_us = 0;
  sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now_us);
  // A handler that took longer than its period (an attach of 50 ms) must not make the loop spin to catch up.
  sd_event_source_set_time(source, std::max(scheduled_us, now_us) + timer->period_us);
  return sd_event_source_set_enabled(source, SD_EVENT_ON);
}

int on_alarm(sd_event_source*, std::uint64_t, void* data) {
  (*static_cast<std::function<void()>*>(data))();
  return 0;
}

int on_signal(sd_event_source*, const signalfd_siginfo*, void* data) {
  (*static_cast<std::function<void()>*>(data))();
  return 0;
}

// A line break would begin another assignment of the message to systemd.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

struct ServiceLoop::Impl {
  std::unique_ptr<sd_event, EventUnref> event;
  std::vector<std::unique_ptr<Timer>> timers;
  std::vector<std::unique_ptr<std::function<void()>>> handlers;
  std::vector<std::unique_ptr<sd_event_source, SourceUnref>> alarms;  // after the event: they go first
  std::string stop_signal;
};

ServiceLoop::ServiceLoop(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ServiceLoop::ServiceLoop(ServiceLoop&&) noexcept = default;
ServiceLoop& ServiceLoop::operator=(ServiceLoop&&) noexcept = default;
ServiceLoop::~ServiceLoop() = default;

Result<ServiceLoop> ServiceLoop::create() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto impl = std::make_unique<Impl>();
  sd_event* event = nullptr;
  if (auto made = check(sd_event_new(&event), "create the event loop"); !made) {
    return fail(std::move(made.error()));
  }
  impl->event.reset(event);
  sd_event_set_watchdog(event, 1);  // fed by the loop itself, so a loop that hangs is restarted; no-op without systemd
  for (const auto& [signal, name] : {std::pair{SIGTERM, "SIGTERM"}, std::pair{SIGINT, "SIGINT"}}) {
    Impl* self = impl.get();
    auto handler = std::make_unique<std::function<void()>>([self, name = std::string(name)] {
      self->stop_signal = name;
      sd_event_exit(self->event.get(), 0);
    });
    if (auto added = check(sd_event_add_signal(event, nullptr, signal, on_signal, handler.get()), "watch for signals");
        !added) {
      return fail(std::move(added.error()));
    }
    impl->handlers.push_back(std::move(handler));
  }
  return ServiceLoop(std::move(impl));
}

Result<void> ServiceLoop::add_timer(std::int64_t period_ns, std::function<void()> handler) {
  auto timer = std::make_unique<Timer>(Timer{static_cast<std::uint64_t>(period_ns / kNsPerUs), std::move(handler)});
  auto added = check(sd_event_add_time_relative(impl_->event.get(), nullptr, CLOCK_MONOTONIC, timer->period_us,
                                                timer->period_us / 20, on_time, timer.get()),
                     "start a timer");
  impl_->timers.push_back(std::move(timer));
  return added;
}

Result<std::function<void(std::int64_t)>> ServiceLoop::add_alarm(std::function<void()> handler) {
  constexpr std::uint64_t kAccuracyUs = 1000;
  auto owned = std::make_unique<std::function<void()>>(std::move(handler));
  sd_event_source* source = nullptr;
  if (auto added = check(sd_event_add_time_relative(impl_->event.get(), &source, CLOCK_MONOTONIC, 0, kAccuracyUs,
                                                    on_alarm, owned.get()),
                         "add an alarm");
      !added) {
    return fail(std::move(added.error()));
  }
  sd_event_source_set_enabled(source, SD_EVENT_OFF);
  impl_->alarms.emplace_back(source);
  impl_->handlers.push_back(std::move(owned));
  return [source](std::int64_t delay_ns) {
    sd_event_source_set_time_relative(source, static_cast<std::uint64_t>(delay_ns / kNsPerUs));
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
  };
}

Result<void> ServiceLoop::on_hangup(std::function<void()> handler) {
  auto owned = std::make_unique<std::function<void()>>(std::move(handler));
  auto added =
      check(sd_event_add_signal(impl_->event.get(), nullptr, SIGHUP, on_signal, owned.get()), "watch for SIGHUP");
  impl_->handlers.push_back(std::move(owned));
  return added;
}

sd_event* ServiceLoop::native() const { return impl_->event.get(); }

Result<std::string> ServiceLoop::run() {
  if (auto ran = check(sd_event_loop(impl_->event.get()), "run the event loop"); !ran) {
    return fail(std::move(ran.error()));
  }
  return impl_->stop_signal;
}

void notify_ready(const std::string& status) { sd_notifyf(0, "READY=1\nSTATUS=%s", one_line(status).c_str()); }

void notify_reloading() {
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", static_cast<long long>(SystemClock().monotonic_ns() / kNsPerUs));
}

void notify_stopping() { sd_notify(0, "STOPPING=1"); }

}  // namespace raceguard::app
