// SPDX-License-Identifier: Apache-2.0
#include "daemon/lock_bursts.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "daemon/plan/lock_sites.h"
#include "daemon/process_cpu.h"

namespace raceguard::app {
namespace {

constexpr std::int64_t kShortestPauseNs = 100 * kNsPerMs;
constexpr std::int64_t kLookPeriodNs = kNsPerMs;
// A process that idles has no CPU time for its budget to be a share of.
constexpr double kLeastCpuShare = 0.05;

void sleep_ns(std::int64_t ns) {
  const timespec pause{.tv_sec = ns / kNsPerSecond, .tv_nsec = ns % kNsPerSecond};
  ::nanosleep(&pause, nullptr);
}

// Of the shared probes, since they have been there.
struct Count {
  rg_burst_figures figures{};
  std::vector<std::uint64_t> drops;
};

Result<Count> read_count(const kernel::LockProbes& probes) {
  const auto figures = probes.figures();
  if (!figures) {
    return fail(figures.error());
  }
  auto drops = probes.drops();
  if (!drops) {
    return fail(std::move(drops).error());
  }
  return Count{.figures = *figures, .drops = std::move(*drops)};
}

rg_burst_figures added(const rg_burst_figures& now, const rg_burst_figures& before) {
  rg_burst_figures added{};
  added.hits = now.hits - before.hits;
  added.returns = now.returns - before.returns;
  added.stepped_hits = now.stepped_hits - before.stepped_hits;
  added.foreign_hits = now.foreign_hits - before.foreign_hits;
  added.unseen_unlocks = now.unseen_unlocks - before.unseen_unlocks;
  added.ended_early = now.ended_early - before.ended_early;
  added.worked = now.worked - before.worked;
  added.timed = now.timed - before.timed;
  added.timed_ns = now.timed_ns - before.timed_ns;
  return added;
}

}  // namespace

std::span<const targets::MappedBinary> LockBursts::Mappings::mappings(pid_t pid) {
  return pid == id_.pid ? std::span<const targets::MappedBinary>(binaries_) : std::span<const targets::MappedBinary>{};
}

Result<void> LockBursts::Mappings::read() {
  auto binaries = targets::ProcessReader("/proc").read_binaries(id_);
  if (!binaries) {
    return fail(std::move(binaries).error());
  }
  binaries_ = std::move(*binaries);
  return {};
}

bool LockBursts::Mappings::refresh(pid_t) { return read().has_value(); }

const targets::MappedBinary* LockBursts::Mappings::find(std::uint64_t address) const {
  const auto found = std::ranges::find_if(binaries_, [&](const targets::MappedBinary& binary) {
    return address >= binary.start && address < binary.end && !binary.host_path.empty();
  });
  return found == binaries_.end() ? nullptr : &*found;
}

LockBursts::LockBursts(const LockBurstOptions& options, const Tools& tools, targets::ProcessId id)
    : options_(options),
      clock_(tools.clock),
      probes_(tools.probes),
      resolver_(tools.resolver),
      id_(id),
      mappings_(id),
      symboliser_(resolver_),
      stacks_(mappings_, symboliser_),
      orders_(options.limits.orders),
      start_ns_(clock_.monotonic_ns()),
      start_cpu_ns_(process_cpu_ns(id.pid)) {}

Result<std::unique_ptr<LockBursts>> LockBursts::open(const LockBurstOptions& options, const Tools& tools) {
  const auto facts = targets::ProcessReader("/proc").read_identity(options.pid);
  if (!facts) {
    return fail(facts.error());
  }
  std::unique_ptr<LockBursts> bursts(new LockBursts(options, tools, facts->id));
  if (auto read = bursts->mappings_.read(); !read) {
    return fail(std::move(read).error());
  }
  const auto mapped = bursts->mappings_.mappings(options.pid);
  if (!mapped.empty()) {
    bursts->image_ = mapped.front();
  }
  auto sites = plan::find_lock_sites(mapped, fmt::format("/proc/{}/root", options.pid));
  if (!sites) {
    return fail(std::move(sites).error());
  }
  bursts->sites_to_probe_ = std::move(sites->sites);
  for (const std::string& why : sites->left_out) {
    bursts->notes_.push_back("not looked at: " + why);
  }
  return bursts;
}

// After an exec the locks are others, at addresses that mean something else.
Result<void> LockBursts::has_same_image() {
  if (auto read = mappings_.read(); !read) {
    return read;
  }
  const auto mapped = mappings_.mappings(id_.pid);
  if (mapped.empty() || mapped.front().inode != image_.inode || mapped.front().device != image_.device ||
      mapped.front().start != image_.start) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} runs another program now", id_.pid));
  }
  return {};
}

Result<void> LockBursts::burst(const std::function<bool()>& goes_on) {
  if (auto same = has_same_image(); !same) {
    return same;
  }
  const auto before = read_count(probes_);
  if (!before) {
    return fail(before.error());
  }
  const std::int64_t begin_ns = clock_.monotonic_ns();
  if (auto attached = probes_.attach(id_.pid, sites_to_probe_); !attached) {
    return attached;
  }
  const std::int64_t on_ns = clock_.monotonic_ns();
  probes_.begin(options_.max_hits);
  while (probes_.is_on() && clock_.monotonic_ns() - on_ns < options_.burst_ns && goes_on()) {
    sleep_ns(kLookPeriodNs);
  }
  probes_.end();
  cost_.on_ns += clock_.monotonic_ns() - on_ns;
  probes_.detach();
  ++cost_.bursts;
  cost_.attached_ns += clock_.monotonic_ns() - begin_ns;
  const auto after = read_count(probes_);
  if (!after) {
    return fail(after.error());
  }
  charge(added(after->figures, before->figures));
  drops_.resize(after->drops.size());
  for (std::size_t i = 0; i < drops_.size(); ++i) {
    drops_[i] += after->drops[i] - before->drops[i];
  }
  return settle();
}

Result<void> LockBursts::settle() {
  const auto reading = probes_.take();
  if (!reading) {
    return fail(reading.error());
  }
  add(*reading);
  if (auto drained = probes_.drain([this](std::span<const std::byte> bytes) { add_record(bytes); }); !drained) {
    return drained;
  }
  cost_.elapsed_ns = clock_.monotonic_ns() - start_ns_;
  const std::int64_t cpu_ns = process_cpu_ns(id_.pid);
  if (cpu_ns == 0) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} is gone", id_.pid));
  }
  cost_.cpu_ns = cpu_ns - start_cpu_ns_;
  return {};
}

// What the kernel takes for a hit is calibrated, what the program behind it takes is measured of some of them.
void LockBursts::charge(const rg_burst_figures& figures) {
  cost_.hits += figures.hits;
  cost_.foreign_hits += figures.foreign_hits;
  cost_.ended_early += figures.ended_early;
  unseen_unlocks_ += figures.unseen_unlocks;
  timed_ += static_cast<double>(figures.timed);
  timed_ns_ += static_cast<double>(figures.timed_ns);
  const double program_ns =
      timed_ > 0 ? static_cast<double>(figures.worked) * timed_ns_ / timed_ * options_.costs.program_factor : 0;
  const double kernel_ns =
      static_cast<double>(figures.hits - figures.stepped_hits - figures.returns) * options_.costs.emulated_ns +
      static_cast<double>(figures.stepped_hits) * options_.costs.stepped_ns +
      static_cast<double>(figures.returns) * options_.costs.return_ns;
  cost_.program_ns += static_cast<std::int64_t>(program_ns);
  cost_.cost_ns += static_cast<std::int64_t>(kernel_ns + program_ns);
}

std::int64_t LockBursts::pause_ns() const {
  if (cost_.elapsed_ns == 0) {
    return 0;
  }
  const double elapsed = static_cast<double>(cost_.elapsed_ns);
  const double cpus = std::max(static_cast<double>(cost_.cpu_ns) / elapsed, kLeastCpuShare);
  const double with_next_ns = static_cast<double>(cost_.cost_ns) * (1 + 1 / static_cast<double>(cost_.bursts));
  const double needed_ns = with_next_ns / (options_.budget * cpus);
  return std::max(static_cast<std::int64_t>(needed_ns - elapsed), kShortestPauseNs);
}

}  // namespace raceguard::app
