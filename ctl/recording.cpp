// SPDX-License-Identifier: Apache-2.0
#include "ctl/recording.h"

#include <fmt/format.h>

#include "ctl/text.h"
#include "daemon/targets/process_reader.h"

namespace raceguard::ctl {
namespace {

constexpr std::int64_t kReadPeriodNs = 200 * kNsPerMs;
// Futex calls are dear to see where tracepoints are all that the kernel allows, and busy locks show at once.
constexpr std::int64_t kLocksTurnNs = kNsPerSecond;
constexpr std::int64_t kLocksRestNs = 9 * kNsPerSecond;
constexpr std::size_t kLocksReported = 20;
// Who is deadlocked sleeps: threads are looked at by what /proc says, 40 us each, also while locks are not watched.
constexpr std::int64_t kThreadsPeriodNs = 5 * kNsPerSecond;

policy::Policy contention_of(pid_t pid) {
  policy::Policy policy;
  policy::Guard guard;
  guard.name = "record";
  guard.target.pids = {pid};
  policy.guards.push_back(std::move(guard));
  return policy;
}

}  // namespace

Recording::Recording(pid_t pid, const Clock& clock, kernel::Watcher watcher)
    : pid_(pid), clock_(clock), registers_{.watcher = std::move(watcher)} {}

Result<std::unique_ptr<Recording>> Recording::open(const app::RaceWatchOptions& options, const Clock& clock) {
  auto watcher = kernel::Watcher::open({.hold_ns = options.hold_ns});
  if (!watcher) {
    return fail(std::move(watcher.error()));
  }
  std::unique_ptr<Recording> recording(new Recording(options.pid, clock, std::move(*watcher)));
  auto races = app::RaceWatch::open(options, recording->registers_, clock);
  if (!races) {
    return fail(std::move(races.error()));
  }
  recording->races_ = std::move(*races);
  if (auto watched = recording->watch_locks(); !watched) {
    recording->prober_.reset();
    recording->locks_note_ = "contended locks are not looked at: " + watched.error().to_string();
  }
  return recording;
}

Result<void> Recording::watch_locks() {
  const policy::Policy policy = contention_of(pid_);
  auto attachment = kernel::Attachment::open({.max_functions = 1, .max_targets = 64});
  if (!attachment) {
    return fail(std::move(attachment.error()));
  }
  prober_ = std::make_unique<app::Prober>(policy, std::move(*attachment), symbols::KernelTreatment{});
  observer_ = std::make_unique<app::Observer>(prober_->targets(), policy.daemon.max_locks);
  auto changes = prober_->scan();
  if (!changes) {
    return fail(std::move(changes.error()));
  }
  observer_->follow(*changes);
  return {};
}

Result<void> Recording::step() {
  if (auto stepped = races_->step(); !stepped) {
    return stepped;
  }
  if (!prober_) {
    return {};
  }
  const std::int64_t now_ns = clock_.monotonic_ns();
  return step_locks(now_ns).and_then([&] { return look_for_deadlocks(now_ns); });
}

Result<void> Recording::look_for_deadlocks(std::int64_t now_ns) {
  if (now_ns >= next_threads_ns_) {
    next_threads_ns_ = now_ns + kThreadsPeriodNs;
    observer_->seek_waits(pid_);
  }
  const auto found = observer_->look_for_deadlocks(prober_->attachment(), now_ns, clock_.realtime_ns());
  return found ? Result<void>{} : fail(found.error());
}

Result<void> Recording::step_locks(std::int64_t now_ns) {
  if (locks_since_ns_ == 0) {
    locks_since_ns_ = now_ns;
  }
  if (now_ns - locks_since_ns_ >= (locks_have_turn_ ? kLocksTurnNs : kLocksRestNs)) {
    return turn_locks(now_ns);
  }
  if (now_ns < next_read_ns_) {
    return {};
  }
  next_read_ns_ = now_ns + kReadPeriodNs;
  return read_locks(now_ns);
}

Result<void> Recording::turn_locks(std::int64_t now_ns) {
  locks_watched_ns_ += locks_have_turn_ ? now_ns - locks_since_ns_ : 0;
  locks_since_ns_ = now_ns;
  locks_have_turn_ = !locks_have_turn_;
  if (locks_have_turn_) {
    return prober_->attachment().resume_contention();
  }
  return read_locks(now_ns).and_then([this] { return prober_->attachment().pause_contention(); });
}

Result<void> Recording::read_locks(std::int64_t now_ns) {
  auto drained =
      observer_->drain(prober_->attachment(), [this](const events::ProcessEvent& event) { prober_->on_event(event); });
  if (!drained) {
    return drained;
  }
  if (auto read = observer_->read(prober_->attachment(), now_ns); !read) {
    return read;
  }
  using WaitKind = events::LockStackEvent::WaitKind;
  for (const detect::LockDelta& delta : observer_->locks().last_tick()) {
    if (delta.wait_kind == WaitKind::kLock && delta.id.pid == pid_) {
      races_->add_lock({.name = delta.name, .address = delta.id.address, .kind = RG_LOCK_PTHREAD_MUTEX});
    }
  }
  return {};
}

exporting::RaceReport Recording::report() const {
  exporting::RaceReport report;
  report.realtime_ns = clock_.realtime_ns();
  report.pid = pid_;
  if (const auto facts = targets::ProcessReader("/proc").read_facts(pid_)) {
    report.comm = facts->comm;
    report.exe = facts->exe;
  } else if (!races_->binaries().empty()) {
    report.exe = races_->binaries().front().path;
  }
  report.findings = races_->findings();
  report.cost = races_->cost();
  report.sampled = races_->sampled();
  report.judged = races_->judged();
  report.coverage = races_->coverage();
  if (auto drops = races_->drops()) {
    report.drops = std::move(*drops);
  }
  report.notes = races_->notes();
  if (!locks_note_.empty()) {
    report.notes.push_back(locks_note_);
  }
  if (locks_watched_ns_ > 0) {
    const std::int64_t now_ns = clock_.monotonic_ns();
    const std::int64_t watched_ns = locks_watched_ns_ + (locks_have_turn_ ? now_ns - locks_since_ns_ : 0);
    report.notes.push_back(
        fmt::format("locks were watched in turns, for {} of {}: waits outside of them are not counted",
                    duration(static_cast<double>(watched_ns) * 1e-9),
                    duration(static_cast<double>(report.cost.elapsed_ns) * 1e-9)));
  }
  if (observer_) {
    report.locks = observer_->locks().figures(kLocksReported);
    report.deadlocks = observer_->findings();
    for (detect::Finding& deadlock : report.deadlocks) {
      deadlock.guard.clear();  // there is no policy
    }
  }
  return report;
}

}  // namespace raceguard::ctl
