// SPDX-License-Identifier: Apache-2.0
// record: races of a running process, without a daemon.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/recording.h"
#include "ctl/views.h"
#include "daemon/detect/suppressions.h"
#include "daemon/kernel/calibrate.h"

namespace raceguard::ctl {
namespace {

constexpr std::int64_t kProgressPeriodNs = kNsPerSecond;

volatile std::sig_atomic_t ended_by_user = 0;

struct RecordOptions {
  app::RaceWatchOptions watch;
  std::int64_t duration_ns = 30 * kNsPerSecond;
  bool until_proven = false;
  detect::Suppressions suppressions;
};

Result<std::int64_t> hold_ns(const std::string& text) {
  const auto seconds = parse_duration(text);
  if (!seconds) {
    return fail(seconds.error());
  }
  const auto ns = static_cast<std::int64_t>(*seconds * 1e9);
  if (ns < kNsPerUs || ns > kernel::kLongestHoldNs) {
    return fail(ErrorCode::kUsage, fmt::format("--hold {} is out of range", text), "Give 1us to 1ms");
  }
  return ns;
}

Result<RecordOptions> options_of(const Invocation& invocation) {
  RecordOptions options;
  const auto pid = parse_number("--pid", invocation.value("p"), 1, std::numeric_limits<int>::max());
  if (!pid) {
    return fail(pid.error());
  }
  options.watch.pid = static_cast<pid_t>(*pid);
  if (invocation.given("d")) {
    const auto seconds = parse_duration(invocation.value("d"));
    if (!seconds) {
      return fail(seconds.error());
    }
    options.duration_ns = static_cast<std::int64_t>(*seconds * 1e9);
  }
  if (invocation.given("hold")) {
    const auto ns = hold_ns(invocation.value("hold"));
    if (!ns) {
      return fail(ns.error());
    }
    options.watch.hold_ns = *ns;
  }
  if (invocation.given("budget")) {
    const auto share = parse_share(invocation.value("budget"));
    if (!share) {
      return fail(share.error());
    }
    options.watch.budget = *share;
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

// One line on stderr that is written over; where that is no terminal nothing is said before the report.
class Progress {
 public:
  Progress() : shown_(::isatty(STDERR_FILENO) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(const app::RaceWatch& races, std::int64_t left_ns) {
    if (!shown_) {
      return;
    }
    const auto coverage = races.coverage();
    const auto cost = races.cost();
    const auto findings = races.findings();
    const auto proven = std::count_if(findings.begin(), findings.end(), [](const detect::RaceFinding& finding) {
      return finding.verdict == detect::Verdict::kProven;
    });
    fmt::print(stderr, "\r\033[K{} left: {} of {} looked at, {} shared by threads; {} holds; {} proven",
               duration(static_cast<double>(left_ns) * 1e-9), coverage.visited,
               plural(static_cast<double>(coverage.candidates), "variable"), coverage.shared, cost.holds, proven);
    std::fflush(stderr);
    dirty_ = true;
  }
  void clear() {
    if (dirty_) {
      fmt::print(stderr, "\r\033[K");
      dirty_ = false;
    }
  }

 private:
  bool shown_;
  bool dirty_ = false;
};

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
  Progress progress;
  while (ended_by_user == 0) {
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
      progress.show(recording.races(), end_ns - now_ns);
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
  struct sigaction action {};
  action.sa_handler = [](int) { ended_by_user = 1; };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
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
