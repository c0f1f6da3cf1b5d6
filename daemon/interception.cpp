// SPDX-License-Identifier: Apache-2.0
#include "daemon/interception.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "daemon/process_cpu.h"
#include "daemon/targets/process_reader.h"

namespace raceguard::app {
namespace {

// Those of a bare machine, where nothing could be measured (docs/sites.md).
constexpr double kEntryNs = 500;
constexpr double kReturnNs = 500;
constexpr std::int64_t kLeastCpuNs = 20 * kNsPerMs;  // of the windows that are judged: less says nothing

double hit_cost_ns(const kernel::InterceptedFunction& function, const kernel::Calibration& costs) {
  const double entry = costs.entry_ns(function.site.kind).value_or(kEntryNs);
  if (function.exit_way == kernel::ExitWay::kReturnProbe) {
    return entry + costs.cost_ns("return").value_or(kReturnNs);
  }
  double exit = 0;
  for (const symbols::FunctionExit& each : function.exits) {
    exit = std::max(exit, costs.entry_ns(each.kind).value_or(kEntryNs));
  }
  return entry + exit;
}

std::string exits_text(const kernel::InterceptedFunction& function) {
  if (function.exit_way == kernel::ExitWay::kReturnProbe) {
    return "return probe";
  }
  if (function.is_inside) {
    return fmt::format("+{:#x} {}", function.exits.front().address - function.symbol.address,
                       function.exits.front().instruction);
  }
  return function.exits.size() == 1 ? "1 exit" : fmt::format("{} exits", function.exits.size());
}

unsigned online_cpus() { return static_cast<unsigned>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L)); }

}  // namespace

Interception::Interception(const InterceptRequest& request, InterceptSections sections, const Clock& clock)
    : pid_(request.pid), process_(sections.process), budget_(request.budget), clock_(clock) {
  figures_.pid = request.pid;
  figures_.exe = sections.exe;
  figures_.budget = request.budget;
  figures_.dry_run = request.dry_run;
  figures_.notes = std::move(sections.notes);
  for (std::size_t i = 0; i < sections.functions.size(); ++i) {
    const kernel::InterceptedFunction& function = sections.functions[i];
    const RequestedFunction& wanted = request.functions[sections.requested[i]];
    figures_.functions.push_back(
        {.name = function.symbol.demangled,
         .binary = function.host_path,
         .is_reader = wanted.is_reader,
         .key = wanted.key.text,
         .entry = fmt::format("+{:#x} {}", function.site.function_offset, function.site.instruction),
         .exits = exits_text(function),
         .is_whole = !function.is_inside});
  }
}

Result<std::unique_ptr<Interception>> Interception::start(const InterceptRequest& request,
                                                          const kernel::Calibration& costs, const Clock& clock) {
  auto sections = find_sections(request);
  if (!sections) {
    return fail(std::move(sections).error());
  }
  std::unique_ptr<Interception> started(new Interception(request, *sections, clock));
  std::ranges::transform(sections->functions, std::back_inserter(started->hit_ns_),
                         [&](const kernel::InterceptedFunction& function) { return hit_cost_ns(function, costs); });
  started->start_cpu_ns_ = started->last_cpu_ns_ = process_cpu_ns(request.pid);
  auto opened = kernel::Interceptor::open(
      {.pid = request.pid, .wait_ns = request.wait_ns, .lease_ns = request.lease_ns, .dry_run = request.dry_run},
      sections->functions, sections->catches);
  if (!opened) {
    return fail(std::move(opened).error());
  }
  started->kernel_ = std::make_unique<kernel::Interceptor>(std::move(*opened));
  started->kernel_->set_online_cpus(online_cpus());
  started->start_ns_ = clock.monotonic_ns();
  return started;
}

// The pid may be another process by now.
bool Interception::is_gone() const {
  const auto identity = targets::ProcessReader("/proc").read_identity(pid_);
  return !identity || identity->id != process_ || identity->zombie;
}

Result<void> Interception::read() {
  const auto readings = kernel_->read();
  if (!readings) {
    return fail(readings.error());
  }
  for (std::size_t i = 0; i < readings->size(); ++i) {
    const rg_section_figures& figures = (*readings)[i];
    figures_.functions[i].figures = figures;
    figures_.functions[i].probes_ns =
        static_cast<std::int64_t>(static_cast<double>(figures.calls + figures.foreign) * hit_ns_[i]);
  }
  figures_.elapsed_ns = clock_.monotonic_ns() - start_ns_;
  last_cpu_ns_ = std::max(last_cpu_ns_, process_cpu_ns(pid_));
  figures_.target_cpu_ns = last_cpu_ns_ - start_cpu_ns_;
  return {};
}

Result<void> Interception::step() {
  if (ended()) {
    return {};
  }
  const std::int64_t now_ns = clock_.monotonic_ns();
  kernel_->set_online_cpus(online_cpus());
  if (auto done = read(); !done) {
    return done;
  }
  if (is_gone()) {
    end("the process ended");
  } else if (!kernel_->is_on()) {
    end("the process became another program (exec)");
  } else if (now_ns >= next_window_ns_) {
    next_window_ns_ = now_ns + kWindowNs;
    judge();
  }
  return {};
}

void Interception::judge() {
  const detect::InterceptionSums sums = detect::sums_of(figures_);
  const Moment now{.cost_ns = sums.cost_ns, .wait_ns = sums.wait_ns, .cpu_ns = figures_.target_cpu_ns};
  Moment& oldest = moments_.at(windows_ % kWindows);
  const Moment then = std::exchange(oldest, now);
  const std::int64_t cpu_ns = now.cpu_ns - then.cpu_ns;
  if (++windows_ <= kWindows || cpu_ns < kLeastCpuNs) {
    return;
  }
  const double share = detect::cost_share(now.cost_ns - then.cost_ns, cpu_ns);
  if (share <= budget_) {
    return;
  }
  figures_.withdrawn = true;
  end(fmt::format("withdrawn: it took {:.1f} % of the process's CPU time (waits {:.1f} %), and may take {:.1f} %",
                  100 * share, 100 * detect::cost_share(now.wait_ns - then.wait_ns, cpu_ns), 100 * budget_));
}

void Interception::end(const std::string& why) {
  if (ended()) {
    return;
  }
  kernel_->stop();
  static_cast<void>(read());  // the last figures; those before stand if they cannot be had
  kernel_.reset();
  figures_.ended = why;
}

}  // namespace raceguard::app
