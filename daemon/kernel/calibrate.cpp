// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/calibrate.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "daemon/kernel/feature_object.h"
#include "daemon/kernel/own_code.h"
#include "daemon/kernel/tracepoint.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/kernel/watchpoint.h"
#include "features.skel.h"
#include "raceguard/clock.h"

extern "C" {
void rg_calibrate_nop5();
void rg_calibrate_nop();
void rg_calibrate_push();
void rg_calibrate_mov();
void rg_calibrate_endbr();
void rg_calibrate_return();
}

namespace raceguard::kernel {
namespace {

using Code = void (*)();
using symbols::SiteKind;

struct CalibrationSite {
  const char* instruction;
  SiteKind kind;
  Code code;
};

constexpr std::array kSites = {
    CalibrationSite{"nop5", SiteKind::kNop5, rg_calibrate_nop5},
    CalibrationSite{"nop", SiteKind::kEmulated, rg_calibrate_nop},
    CalibrationSite{"push %rbp", SiteKind::kEmulated, rg_calibrate_push},
    CalibrationSite{"mov %edi,%eax", SiteKind::kSingleStepped, rg_calibrate_mov},
    CalibrationSite{"endbr64", SiteKind::kSingleStepped, rg_calibrate_endbr},
};
constexpr const char* kReturn = "return";
constexpr const char* kWatchpoint = "watchpoint";
constexpr const char* kTracepoint = "tracepoint";
constexpr int kBatches = 20;
constexpr int kHitsPerLook = 16;  // at the clock

// Nanoseconds of one run of `body`: the fastest of some batches, because others use this machine too.
double time_of(const std::function<void()>& body, std::int64_t batch_ns) {
  const SystemClock clock;
  double fastest = std::numeric_limits<double>::max();
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::int64_t start_ns = clock.monotonic_ns();
    std::int64_t hits = 0;
    std::int64_t elapsed_ns = 0;
    do {
      for (int i = 0; i < kHitsPerLook; ++i) {
        body();
      }
      hits += kHitsPerLook;
      elapsed_ns = clock.monotonic_ns() - start_ns;
    } while (elapsed_ns < batch_ns);
    fastest = std::min(fastest, static_cast<double>(elapsed_ns) / static_cast<double>(hits));
  }
  return fastest;
}

constexpr std::size_t kCopiedBytes = 4096;

// As the kernel and the C library copy where the processor says that it is fast.
void copy_by_string_instruction() {
  static thread_local std::array<char, kCopiedBytes> from{};
  static thread_local std::array<char, kCopiedBytes> to{};
  const char* source = from.data();
  char* target = to.data();
  std::size_t count = kCopiedBytes;
  asm volatile("rep movsb" : "+S"(source), "+D"(target), "+c"(count) : : "memory");
}

// What the former takes at most where nothing slows it down.
void copy_by_moves() {
  static thread_local std::array<std::uint64_t, kCopiedBytes / sizeof(std::uint64_t)> from{};
  static thread_local std::array<std::uint64_t, kCopiedBytes / sizeof(std::uint64_t)> to{};
  for (std::size_t i = 0; i < from.size(); ++i) {
    to[i] = from[i];
    asm volatile("" : : : "memory");  // no string instruction is made of it
  }
}

class Measurement {
 public:
  Measurement(const CalibrationOptions& options, features_bpf& object, UprobeWay way, Calibration& result)
      : options_(options), object_(object), way_(way), result_(result) {}

  void entries() {
    for (const CalibrationSite& site : kSites) {
      auto link = attach(site.code, site.instruction, false);
      if (link) {
        record(site.instruction, site.kind, added(site.code));
        links_.push_back(std::move(*link));
      }
    }
  }

  void at_return() {
    auto entry = attach(rg_calibrate_return, kReturn, false);
    if (!entry) {
      return;
    }
    const double entry_ns = added(rg_calibrate_return);
    links_.push_back(std::move(*entry));
    auto link = attach(rg_calibrate_return, kReturn, true);
    if (link) {
      record(kReturn, std::nullopt, std::max(0.0, added(rg_calibrate_return) - entry_ns));
      links_.push_back(std::move(*link));
    }
  }

  void watchpoint() {
    alignas(8) volatile std::uint64_t watched = 0;
    // Slow without a watchpoint of ours: somebody else has one armed, and two slow no more than one.
    const double bare_copy_ns =
        std::min(time_of(copy_by_string_instruction, options_.batch_ns), time_of(copy_by_moves, options_.batch_ns));
    auto link = watch_own_writes(object_.progs.rg_empty_watch, const_cast<const std::uint64_t*>(&watched));
    if (!link) {
      result_.failures.push_back(std::move(link).error());
      return;
    }
    record(kWatchpoint, std::nullopt, time_of([&watched] { watched = 1; }, options_.batch_ns) - bare_ns_);
    result_.string_slowdown = time_of(copy_by_string_instruction, options_.batch_ns) / bare_copy_ns;
  }

  // Of a system call that nobody else calls often, entry and exit.
  void tracepoint() {
    const auto tracefs = TraceFs::open();
    if (!tracefs) {
      result_.failures.push_back(tracefs.error());
      return;
    }
    const auto call = [] { ::syscall(SYS_getppid); };
    const double bare_ns = time_of(call, options_.batch_ns);
    for (const char* name : {"sys_enter_getppid", "sys_exit_getppid"}) {
      auto link = attach_tracepoint(object_.progs.rg_empty_tracepoint, *tracefs, "syscalls", name);
      if (!link) {
        result_.failures.push_back(std::move(link).error());
        return;
      }
      links_.push_back(std::move(*link));
    }
    record(kTracepoint, std::nullopt, std::max(0.0, time_of(call, options_.batch_ns) - bare_ns) / 2);
  }

  void finish() { detach(std::move(links_)); }

 private:
  [[nodiscard]] std::optional<Link> attach(Code code, const char* what, bool at_return) {
    const auto offset = own_file_offset(reinterpret_cast<const void*>(code));
    if (!offset) {
      result_.failures.emplace_back(ErrorCode::kInternal, fmt::format("own function for {} is not in a file", what));
      return std::nullopt;
    }
    UprobeSite site;
    site.probe_path = kOwnProgram;
    site.shown_as = fmt::format("own function for {}", what);
    site.file_offset = *offset;
    site.at_return = at_return;
    auto link = attach_uprobe(object_.progs.rg_empty_uprobe, way_, site);
    if (!link) {
      result_.failures.push_back(std::move(link).error());
      return std::nullopt;
    }
    return std::move(*link);
  }

  [[nodiscard]] double added(Code code) const { return std::max(0.0, time_of(code, options_.batch_ns) - bare_ns_); }

  void record(const char* instruction, std::optional<SiteKind> kind, double ns) {
    result_.costs.push_back({instruction, kind, ns});
  }

  const CalibrationOptions& options_;
  features_bpf& object_;
  UprobeWay way_;
  Calibration& result_;
  double bare_ns_ = time_of(rg_calibrate_return, options_.batch_ns);  // before anything is attached
  std::vector<Link> links_;
};

}  // namespace

std::optional<double> Calibration::entry_ns(SiteKind kind) const {
  std::optional<double> dearest;
  for (const HitCost& cost : costs) {
    if (cost.site_kind == kind && (!dearest || cost.ns > *dearest)) {
      dearest = cost.ns;
    }
  }
  return dearest;
}

std::optional<double> Calibration::cost_ns(const std::string& instruction) const {
  const auto found =
      std::find_if(costs.begin(), costs.end(), [&](const HitCost& cost) { return cost.instruction == instruction; });
  return found == costs.end() ? std::nullopt : std::optional(found->ns);
}

WatchpointCost Calibration::watchpoint() const {
  return {.hit_ns = cost_ns(kWatchpoint).value_or(WatchpointCost{}.hit_ns), .string_slowdown = string_slowdown};
}

Calibration calibrate(const CalibrationOptions& options) {
  const SystemClock clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  Calibration result;
  result.uprobe_multi = options.allow_uprobe_multi && kernel_has_uprobe_multi();
  const UprobeWay way = result.uprobe_multi ? UprobeWay::kMulti : UprobeWay::kPerfEvent;
  const std::array<std::string, 3> programs{"rg_empty_uprobe", "rg_empty_watch", "rg_empty_tracepoint"};
  auto object = load_features(
      programs, [way](features_bpf& opened) { static_cast<void>(prepare_uprobe(opened.progs.rg_empty_uprobe, way)); });
  if (!object) {
    result.failures.push_back(std::move(object).error());
    return result;
  }
  Measurement measurement(options, **object, way, result);
  measurement.entries();
  measurement.at_return();
  measurement.tracepoint();
  if (options.watchpoint) {
    measurement.watchpoint();
  }
  measurement.finish();
  result.took_ns = clock.monotonic_ns() - start_ns;
  return result;
}

}  // namespace raceguard::kernel
