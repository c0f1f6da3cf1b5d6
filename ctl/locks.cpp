// SPDX-License-Identifier: Apache-2.0
// locks: the daemon's view; with --advise a process's locks in bursts of probes, without a daemon.
#include <algorithm>
#include <ctime>

#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/standalone.h"
#include "ctl/views.h"
#include "daemon/export/lock_report_view.h"
#include "daemon/kernel/calibrate.h"
#include "daemon/lock_bursts.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kLocksShown = 20;

struct AdviseOptions {
  app::LockBurstOptions bursts;
  std::int64_t duration_ns = 10 * kNsPerSecond;
  std::size_t limit = kLocksShown;
};

Result<AdviseOptions> options_of(const Invocation& invocation) {
  AdviseOptions options;
  if (!invocation.given("p")) {
    return fail(ErrorCode::kUsage, "locks --advise needs the process to look at", "Name it by --pid");
  }
  const auto pid = pid_of(invocation);
  if (!pid) {
    return fail(pid.error());
  }
  options.bursts.pid = *pid;
  if (auto taken = take_duration(invocation, "d", options.duration_ns); !taken) {
    return fail(std::move(taken).error());
  }
  if (auto taken = take_share(invocation, "budget", options.bursts.budget); !taken) {
    return fail(std::move(taken).error());
  }
  if (invocation.given("limit")) {
    const auto limit = parse_number("--limit", invocation.value("limit"), 1, 100'000);
    if (!limit) {
      return fail(limit.error());
    }
    options.limit = static_cast<std::size_t>(*limit);
  }
  return options;
}

void calibrate(app::LockBurstOptions& options) {
  const kernel::Calibration costs = kernel::calibrate();
  options.emulated_ns = costs.entry_ns(symbols::SiteKind::kEmulated).value_or(options.emulated_ns);
  options.stepped_ns = costs.entry_ns(symbols::SiteKind::kSingleStepped).value_or(options.stepped_ns);
  options.return_ns = costs.cost_ns("return").value_or(options.return_ns);
}

// Empty: until its time was over.
Result<std::string> run(app::LockBursts& bursts, std::int64_t duration_ns, const Clock& clock) {
  const std::int64_t end_ns = clock.monotonic_ns() + duration_ns;
  while (!ended_by_user()) {
    if (auto done = bursts.burst(); !done) {
      if (done.error().code() == ErrorCode::kTargetGone) {
        return done.error().what() + " before the time was over";
      }
      return fail(std::move(done).error());
    }
    const std::int64_t next_ns = clock.monotonic_ns() + bursts.pause_ns();
    if (next_ns >= end_ns) {
      return std::string();
    }
    const std::int64_t pause_ns = next_ns - clock.monotonic_ns();
    const timespec pause{.tv_sec = pause_ns / kNsPerSecond, .tv_nsec = pause_ns % kNsPerSecond};
    ::nanosleep(&pause, nullptr);
  }
  return std::string("ended by the user");
}

int advise(const Invocation& invocation) {
  auto options = options_of(invocation);
  if (!options) {
    return report(options.error());
  }
  calibrate(options->bursts);
  const SystemClock clock;
  auto bursts = app::LockBursts::open(options->bursts, clock);
  if (!bursts) {
    return report(bursts.error());
  }
  catch_end_signals();
  const auto ended = run(**bursts, options->duration_ns, clock);
  if (!ended) {
    return report(ended.error());
  }
  auto found = (*bursts)->report(options->limit);
  if (!found) {
    return report(found.error());
  }
  if (!ended->empty()) {
    found->notes.push_back(*ended);
  }
  const nlohmann::json document = exporting::lock_report_json(*found);
  return invocation.json ? put(document) : put(lock_advice_text(Doc(document), invocation.style));
}

}  // namespace

int run_locks(const Invocation& invocation) {
  if (invocation.given("advise")) {
    return advise(invocation);
  }
  for (const char* argument : {"p", "d", "budget"}) {
    if (invocation.given(argument)) {
      return report(Error(ErrorCode::kUsage, "-p, -d and --budget go with --advise"));
    }
  }
  return run_view(invocation);
}

}  // namespace raceguard::ctl
