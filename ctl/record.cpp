// SPDX-License-Identifier: Apache-2.0
// record: races of a running process, without a daemon.
#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/recording.h"
#include "ctl/standalone.h"
#include "ctl/views.h"
#include "daemon/detect/suppressions.h"
#include "daemon/kernel/calibrate.h"

namespace raceguard::ctl {
namespace {

constexpr std::int64_t kProgressPeriodNs = kNsPerSecond;

struct RecordOptions {
  app::RaceWatchOptions watch;
  std::int64_t duration_ns = 30 * kNsPerSecond;
  bool until_proven = false;
  detect::Suppressions suppressions;
};

Result<std::int64_t> hold_ns(const std::string& text) {
  const auto ns = parse_duration_ns(text);
  if (ns && (*ns < kNsPerUs || *ns > kernel::kLongestHoldNs)) {
    return fail(ErrorCode::kUsage, fmt::format("--hold {} is out of range", text), "Give 1us to 1ms");
  }
  return ns;
}

Result<RecordOptions> options_of(const Invocation& invocation) {
  RecordOptions options;
  const auto pid = pid_of(invocation);
  if (!pid) {
    return fail(pid.error());
  }
  options.watch.pid = *pid;
  if (auto taken = take_duration(invocation, "d", options.duration_ns); !taken) {
    return fail(std::move(taken).error());
  }
  if (invocation.given("hold")) {
    const auto ns = hold_ns(invocation.value("hold"));
    if (!ns) {
      return fail(ns.error());
    }
    options.watch.hold_ns = *ns;
  }
  if (auto taken = take_share(invocation, "budget", options.watch.budget); !taken) {
    return fail(std::move(taken).error());
  }
  options.watch.variables = invocation.all("watch");
  options.watch.automatic = !invocation.given("only");
  if (!options.watch.automatic && options.watch.variables.empty()) {
    return fail(ErrorCode::kUsage, "--only without --watch leaves nothing to look at", "Name a variable by --watch");
  }
  if (invocation.given("suppressions")) {
    auto suppressions = detect::Suppressions::read(invocation.value("suppressions"));
    if (!suppressions) {
      return fail(std::move(suppressions.error()));
    }
    options.suppressions = std::move(*suppressions);
  }
  options.until_proven = invocation.given("until-proven");
  return options;
}

void show_progress(ProgressLine& line, const app::RaceWatch& races, std::int64_t left_ns) {
  if (!line.is_shown()) {
    return;  // the findings would be copied for nothing
  }
  const auto coverage = races.coverage();
  const auto cost = races.cost();
  const auto findings = races.findings();
  const auto proven = std::count_if(findings.begin(), findings.end(), [](const detect::RaceFinding& finding) {
    return finding.verdict == detect::Verdict::kProven;
  });
  line.show(fmt::format("{} left: {} of {} looked at, {} shared by threads; {} holds; {} proven",
                        duration(static_cast<double>(left_ns) * 1e-9), coverage.visited,
                        plural(static_cast<double>(coverage.candidates), "variable"), coverage.shared, cost.holds,
                        proven));
}

bool has_proven(const app::RaceWatch& races, const detect::Suppressions& suppressions) {
  auto findings = races.findings();
  suppressions.apply(findings);
  return std::any_of(findings.begin(), findings.end(), [](const detect::RaceFinding& finding) {
    return finding.verdict == detect::Verdict::kProven && !finding.suppressed;
  });
}

// The error, if it ended for another reason than its time, its user, or its process's end.
Result<std::string> run(Recording& recording, const RecordOptions& options, const Clock& clock) {
  const std::int64_t end_ns = clock.monotonic_ns() + options.duration_ns;
  std::int64_t next_progress_ns = 0;
  std::uint64_t races_seen = 0;
  ProgressLine progress;
  while (!ended_by_user()) {
    const std::int64_t now_ns = clock.monotonic_ns();
    if (now_ns >= end_ns) {
      return std::string();
    }
    if (auto stepped = recording.step(); !stepped) {
      if (stepped.error().code() == ErrorCode::kTargetGone) {
        return stepped.error().what() + " before the time was over";
      }
      return fail(std::move(stepped.error()));
    }
    if (now_ns >= next_progress_ns) {
      next_progress_ns = now_ns + kProgressPeriodNs;
      show_progress(progress, recording.races(), end_ns - now_ns);
    }
    // The findings are copied with their stacks: only when a race was seen again.
    const std::uint64_t races = recording.races().judged().races;
    if (options.until_proven && std::exchange(races_seen, races) != races &&
        has_proven(recording.races(), options.suppressions)) {
      return std::string("ended at the first proven race, as asked");
    }
    const timespec pause{.tv_sec = 0,
                         .tv_nsec = std::min(recording.races().pause_ns(), std::max<std::int64_t>(end_ns - now_ns, 0))};
    ::nanosleep(&pause, nullptr);
  }
  return std::string("ended by the user");
}

}  // namespace

int run_record(const Invocation& invocation) {
  auto options = options_of(invocation);
  if (!options) {
    return report(options.error());
  }
  options->watch.cost = kernel::calibrate().watchpoint();
  const SystemClock clock;
  auto recording = Recording::open(options->watch, clock);
  if (!recording) {
    return ctl::report(recording.error());
  }
  catch_end_signals();
  auto ended = run(**recording, *options, clock);
  exporting::RaceReport report = (*recording)->report();
  report.version = RG_VERSION;
  options->suppressions.apply(report.findings);
  if (!ended) {
    report.notes.push_back("ended early: " + ended.error().to_string());
  } else if (!ended->empty()) {
    report.notes.push_back(*ended);
  }
  const nlohmann::json document = exporting::race_report_json(report);
  const int written = invocation.json   ? put(document)
                      : invocation.html ? put(race_report_html(Doc(document)))
                                        : put(race_report_text(Doc(document), invocation.style));
  return written != kOk ? written : ended ? kOk : kFailed;
}

}  // namespace raceguard::ctl
