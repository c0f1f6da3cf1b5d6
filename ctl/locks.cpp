// SPDX-License-Identifier: Apache-2.0
// locks: the daemon's view; with --advise what its bursts say, or a process's locks in bursts of probes without a
// daemon.
#include <algorithm>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/standalone.h"
#include "ctl/views.h"
#include "daemon/export/lock_report_view.h"
#include "daemon/kernel/calibrate.h"
#include "daemon/kernel/lock_probes.h"
#include "daemon/lock_bursts.h"
#include "daemon/symbols/resolver.h"

namespace raceguard::ctl {
namespace {

constexpr std::size_t kLocksShown = 20;

struct AdviseOptions {
  app::LockBurstOptions bursts;
  std::int64_t duration_ns = 10 * kNsPerSecond;
  std::size_t limit = kLocksShown;
};

Result<std::size_t> limit_of(const Invocation& invocation) {
  if (!invocation.given("limit")) {
    return kLocksShown;
  }
  const auto limit = parse_number("--limit", invocation.value("limit"), 1, 100'000);
  if (!limit) {
    return fail(limit.error());
  }
  return static_cast<std::size_t>(*limit);
}

Result<AdviseOptions> options_of(const Invocation& invocation) {
  AdviseOptions options;
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
  const auto limit = limit_of(invocation);
  if (!limit) {
    return fail(limit.error());
  }
  options.limit = *limit;
  return options;
}

// Empty: until its time was over.
Result<std::string> run(app::LockBursts& bursts, std::int64_t duration_ns, const Clock& clock) {
  const std::int64_t end_ns = clock.monotonic_ns() + duration_ns;
  while (!ended_by_user()) {
    if (auto done = bursts.burst([] { return !ended_by_user(); }); !done) {
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
  auto probes = kernel::LockProbes::open();
  if (!probes) {
    return report(probes.error());
  }
  const SystemClock clock;
  options->bursts.costs = app::measure_burst_costs(*probes, kernel::calibrate({.watchpoint = false}), clock);
  symbols::Resolver resolver;
  auto bursts = app::LockBursts::open(options->bursts, {.clock = clock, .probes = *probes, .resolver = resolver});
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

// What the daemon's own bursts say, of all processes that it looks at.
int show_daemons_advice(const Invocation& invocation) {
  for (const char* argument : {"d", "budget"}) {
    if (invocation.given(argument)) {
      return report(Error(ErrorCode::kUsage,
                          fmt::format("{}{} goes with --pid", argument[1] == 0 ? "-" : "--", argument),
                          "The daemon's bursts are paced by its policy"));
    }
  }
  const auto limit = limit_of(invocation);
  if (!limit) {
    return report(limit.error());
  }
  const auto answer = ask_daemon(invocation, "advice", {{"limit", *limit}});
  if (!answer) {
    return report(answer.error());
  }
  return invocation.json ? put(*answer) : put(daemon_advice_text(Doc(*answer), invocation.style));
}

}  // namespace

int run_locks(const Invocation& invocation) {
  if (invocation.given("advise")) {
    return invocation.given("p") ? advise(invocation) : show_daemons_advice(invocation);
  }
  for (const char* argument : {"p", "d", "budget"}) {
    if (invocation.given(argument)) {
      return report(Error(ErrorCode::kUsage, "-p, -d and --budget go with --advise"));
    }
  }
  return run_view(invocation);
}

}  // namespace raceguard::ctl
