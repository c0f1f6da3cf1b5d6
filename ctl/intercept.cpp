// SPDX-License-Identifier: Apache-2.0
// intercept: functions of a running process kept from overlapping for a while, without a daemon.
#include <cstdio>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/intercept_proposal.h"
#include "ctl/standalone.h"
#include "ctl/views.h"
#include "daemon/export/interception_view.h"
#include "daemon/interception.h"

namespace raceguard::ctl {
namespace {

constexpr std::int64_t kStepNs = 100 * kNsPerMs;
constexpr std::int64_t kProgressPeriodNs = kNsPerSecond;

struct InterceptOptions {
  app::InterceptRequest request;
  std::int64_t duration_ns = 30 * kNsPerSecond;
};

Result<std::int64_t> wait_ns(const std::string& text) {
  const auto ns = parse_duration_ns(text);
  if (ns && (*ns < kNsPerUs || *ns > static_cast<std::int64_t>(RG_WAIT_MAX_NS))) {
    return fail(ErrorCode::kUsage, fmt::format("--wait {} is out of range", text), "Give 1us to 5ms");
  }
  return ns;
}

Result<void> add_functions(const Invocation& invocation, app::InterceptRequest& request) {
  const auto key = policy::parse_intercept_key(invocation.given("key") ? invocation.value("key") : "none");
  if (!key) {
    return fail(key.error());
  }
  for (const std::string& text : invocation.all("f")) {
    auto functions = app::parse_requested(text, *key);
    if (!functions) {
      return fail(std::move(functions).error());
    }
    request.functions.insert(request.functions.end(), functions->begin(), functions->end());
  }
  if (request.functions.empty()) {
    return fail(ErrorCode::kUsage, "--function is missing: nothing would be kept apart",
                "Name the functions that must not overlap: -f put,get=read");
  }
  return {};
}

// The process and its functions: named, or those of a finding.
Result<void> set_subject(const Invocation& invocation, app::InterceptRequest& request) {
  if (!invocation.given("finding")) {
    const auto pid = pid_of(invocation);
    if (!pid) {
      return fail(pid.error());
    }
    request.pid = *pid;
    return add_functions(invocation, request);
  }
  if (invocation.given("p") || invocation.given("f")) {
    return fail(ErrorCode::kUsage,
                "a finding says itself which process and functions: --pid and --function do not go with it",
                "Give either");
  }
  auto proposal = propose(invocation, invocation.value("finding"));
  if (!proposal) {
    return fail(std::move(proposal).error());
  }
  request.pid = proposal->pid;
  request.functions = std::move(proposal->functions);
  return {};
}

Result<void> set_limits(const Invocation& invocation, InterceptOptions& options) {
  if (auto taken = take_duration(invocation, "for", options.duration_ns); !taken) {
    return taken;
  }
  if (invocation.given("wait")) {
    const auto ns = wait_ns(invocation.value("wait"));
    if (!ns) {
      return fail(ns.error());
    }
    options.request.wait_ns = *ns;
  }
  return take_share(invocation, "budget", options.request.budget);
}

Result<InterceptOptions> options_of(const Invocation& invocation) {
  InterceptOptions options;
  options.request.dry_run = invocation.given("dry-run");
  if (options.request.dry_run && invocation.given("enforce")) {
    return fail(ErrorCode::kUsage, "--dry-run and --enforce exclude each other", "Give one of them");
  }
  if (auto set = set_limits(invocation, options); !set) {
    return fail(std::move(set).error());
  }
  if (auto set = set_subject(invocation, options.request); !set) {
    return fail(std::move(set).error());
  }
  return options;
}

void show_progress(ProgressLine& line, const detect::Interception& figures, std::int64_t left_ns) {
  const detect::InterceptionSums sums = detect::sums_of(figures);
  line.show(fmt::format("{} left: {} calls kept apart, {} waited, {} went on without; cost {} of its CPU time",
                        duration(static_cast<double>(left_ns) * 1e-9), count(static_cast<double>(sums.taken)),
                        count(static_cast<double>(sums.waits)), count(static_cast<double>(sums.opened)),
                        percent(detect::cost_share(sums.cost_ns, figures.target_cpu_ns))));
}

// Where nobody sees the progress: that it has begun, for who waits for that.
void tell_begin(const detect::Interception& figures) {
  fmt::print(stderr, "intercepting {} of pid {}\n", plural(static_cast<double>(figures.functions.size()), "function"),
             figures.pid);
}

Result<void> run(app::Interception& interception, std::int64_t length_ns, const Clock& clock) {
  const std::int64_t end_ns = clock.monotonic_ns() + length_ns;
  std::int64_t next_progress_ns = 0;
  ProgressLine progress;
  if (!progress.is_shown()) {
    tell_begin(interception.figures());
  }
  while (!interception.ended()) {
    const std::int64_t now_ns = clock.monotonic_ns();
    if (ended_by_user() || now_ns >= end_ns) {
      interception.end(ended_by_user() ? "ended by the user" : "its time was over");
      return {};
    }
    if (now_ns >= next_progress_ns) {
      next_progress_ns = now_ns + kProgressPeriodNs;
      show_progress(progress, interception.figures(), end_ns - now_ns);
    }
    const timespec pause{.tv_sec = 0, .tv_nsec = std::min(kStepNs, end_ns - now_ns)};
    ::nanosleep(&pause, nullptr);
    if (auto stepped = interception.step(); !stepped) {
      return stepped;
    }
  }
  return {};
}

}  // namespace

int run_intercept(const Invocation& invocation) {
  const auto options = options_of(invocation);
  if (!options) {
    return report(options.error());
  }
  if (invocation.given("finding") && !invocation.given("dry-run") && !invocation.given("enforce")) {
    return put(proposal_text(options->request, invocation.value("finding")));
  }
  const SystemClock clock;
  catch_end_signals();
  auto interception = app::Interception::start(options->request, kernel::calibrate(), clock);
  if (!interception) {
    return report(interception.error());
  }
  if (auto done = run(**interception, options->duration_ns, clock); !done) {
    return report(done.error());
  }
  const nlohmann::json document = exporting::interception_json((*interception)->figures());
  const int written = invocation.json ? put(document) : put(interception_text(Doc(document), invocation.style));
  return written != kOk ? written : (*interception)->figures().withdrawn ? kFailed : kOk;
}

}  // namespace raceguard::ctl
