// SPDX-License-Identifier: Apache-2.0
#include "daemon/lock_bursts.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include <fmt/format.h>

#include "daemon/plan/lock_sites.h"
#include "daemon/process_cpu.h"

namespace raceguard::app {
namespace {

constexpr std::size_t kMaxLocks = 8192;
constexpr std::size_t kMaxSites = 16384;
constexpr std::size_t kStacksOfASite = 32;
constexpr std::size_t kReleasesOfASite = 16;
constexpr std::int64_t kShortestPauseNs = 100 * kNsPerMs;
constexpr std::int64_t kLookPeriodNs = kNsPerMs;
// A process that idles has no CPU time for its budget to be a share of.
constexpr double kLeastCpuShare = 0.05;

void sleep_ns(std::int64_t ns) {
  const timespec pause{.tv_sec = ns / kNsPerSecond, .tv_nsec = ns % kNsPerSecond};
  ::nanosleep(&pause, nullptr);
}

detect::LockOrderKey order_key(const rg_burst_edge_key& key) {
  return {.held = key.held,
          .wanted = key.wanted,
          .held_ip = key.held_ip,
          .wanted_ip = key.wanted_ip,
          .held_for_reading = (key.held_calls & RG_CALL_READ) != 0,
          .wanted_for_reading = (key.wanted_calls & RG_CALL_READ) != 0};
}

detect::LockOrder order_of(const kernel::BurstOrder& seen) {
  detect::LockOrder order{.key = order_key(seen.key), .count = seen.figures.count};
  for (const rg_u64 gate : seen.figures.gates) {
    if (gate != 0) {
      order.gates.insert(gate);
    }
  }
  for (const rg_u32 thread : seen.figures.threads) {
    if (thread != 0) {
      order.threads.insert(thread);
    }
  }
  return order;
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

LockBursts::LockBursts(const LockBurstOptions& options, const Clock& clock, targets::ProcessId id,
                       kernel::LockProbes probes)
    : options_(options),
      clock_(clock),
      id_(id),
      mappings_(id),
      symboliser_(resolver_),
      stacks_(mappings_, symboliser_),
      probes_(std::move(probes)),
      start_ns_(clock.monotonic_ns()),
      start_cpu_ns_(process_cpu_ns(id.pid)) {}

Result<std::unique_ptr<LockBursts>> LockBursts::open(const LockBurstOptions& options, const Clock& clock) {
  const auto facts = targets::ProcessReader("/proc").read_identity(options.pid);
  if (!facts) {
    return fail(facts.error());
  }
  auto probes = kernel::LockProbes::open();
  if (!probes) {
    return fail(std::move(probes).error());
  }
  std::unique_ptr<LockBursts> bursts(new LockBursts(options, clock, facts->id, std::move(*probes)));
  if (auto read = bursts->mappings_.read(); !read) {
    return fail(std::move(read).error());
  }
  auto sites =
      plan::find_lock_sites(bursts->mappings_.mappings(options.pid), fmt::format("/proc/{}/root", options.pid));
  if (!sites) {
    return fail(std::move(sites).error());
  }
  bursts->sites_to_probe_ = std::move(sites->sites);
  for (const std::string& why : sites->left_out) {
    bursts->notes_.push_back("not looked at: " + why);
  }
  return bursts;
}

Result<void> LockBursts::burst() {
  const std::int64_t begin_ns = clock_.monotonic_ns();
  if (auto attached = probes_.attach(id_.pid, sites_to_probe_); !attached) {
    return attached;
  }
  const std::int64_t on_ns = clock_.monotonic_ns();
  probes_.begin(options_.max_hits);
  while (probes_.is_on() && clock_.monotonic_ns() - on_ns < options_.burst_ns) {
    sleep_ns(kLookPeriodNs);
  }
  probes_.end();
  cost_.on_ns += clock_.monotonic_ns() - on_ns;
  probes_.detach();
  return settle(clock_.monotonic_ns() - begin_ns);
}

Result<void> LockBursts::settle(std::int64_t attached_ns) {
  ++cost_.bursts;
  cost_.attached_ns += attached_ns;
  const auto reading = probes_.take();
  if (!reading) {
    return fail(reading.error());
  }
  add(*reading);
  if (auto drained = probes_.drain([this](std::span<const std::byte> bytes) { add_record(bytes); }); !drained) {
    return drained;
  }
  const auto figures = probes_.figures();
  if (!figures) {
    return fail(figures.error());
  }
  cost_.hits = figures->hits;
  cost_.foreign_hits = figures->foreign_hits;
  cost_.ended_early = figures->ended_early;
  cost_.cost_ns = static_cast<std::int64_t>(
      static_cast<double>(figures->hits - figures->stepped_hits - figures->returns) * options_.emulated_ns +
      static_cast<double>(figures->stepped_hits) * options_.stepped_ns +
      static_cast<double>(figures->returns) * options_.return_ns);
  cost_.elapsed_ns = clock_.monotonic_ns() - start_ns_;
  const std::int64_t cpu_ns = process_cpu_ns(id_.pid);
  if (cpu_ns == 0) {
    return fail(ErrorCode::kTargetGone, fmt::format("process {} is gone", id_.pid));
  }
  cost_.cpu_ns = cpu_ns - start_cpu_ns_;
  return {};
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

void LockBursts::add(const kernel::BurstReading& reading) {
  for (const kernel::BurstLock& seen : reading.locks) {
    if (locks_.size() >= kMaxLocks && !locks_.contains(seen.address)) {
      ++forgotten_;
      continue;
    }
    Lock& lock = locks_[seen.address];
    lock.sum.kind = seen.figures.kind;
    lock.sum.reads += seen.figures.reads;
    lock.sum.writes += seen.figures.writes;
    lock.sum.contended += seen.figures.contended;
    lock.sum.wait_ns += seen.figures.wait_ns;
    lock.sum.holds += seen.figures.holds;
    lock.sum.hold_ns += seen.figures.hold_ns;
    lock.sum.max_hold_ns = std::max(lock.sum.max_hold_ns, seen.figures.max_hold_ns);
    if (lock.sum.first_tid != 0 && lock.sum.first_tid != seen.figures.first_tid) {
      lock.sum.other_tid = seen.figures.first_tid;
    }
    lock.sum.first_tid = lock.sum.first_tid == 0 ? seen.figures.first_tid : lock.sum.first_tid;
    lock.sum.other_tid = seen.figures.other_tid != 0 ? seen.figures.other_tid : lock.sum.other_tid;
    for (std::size_t i = 0; i < RG_HISTOGRAM_BUCKETS; ++i) {
      lock.hold.counts.at(i) += seen.figures.histogram[i];
    }
  }
  for (const kernel::BurstSite& seen : reading.sites) {
    const SiteKey key{seen.key.address, seen.key.ip, seen.key.calls};
    if (sites_.size() >= kMaxSites && !sites_.contains(key)) {
      ++forgotten_;
      continue;
    }
    Site& site = sites_[key];
    site.sum.asked += seen.figures.asked;
    site.sum.taken += seen.figures.taken;
    site.sum.holds += seen.figures.holds;
    site.sum.hold_ns += seen.figures.hold_ns;
    for (const rg_u64 ip : {seen.figures.release_ip, seen.figures.other_release_ip}) {
      if (ip != 0 && site.release_ips.size() < kReleasesOfASite) {
        site.release_ips.insert(ip);
      }
    }
  }
  for (const kernel::BurstOrder& seen : reading.orders) {
    orders_.add(order_of(seen));
  }
}

void LockBursts::add_record(std::span<const std::byte> bytes) {
  if (bytes.size() < RG_BURST_HEADER_BYTES) {
    return;
  }
  rg_record_burst header;
  std::memcpy(&header, bytes.data(), RG_BURST_HEADER_BYTES);
  if (header.type != RG_RECORD_BURST || header.stack_bytes > bytes.size() - RG_BURST_HEADER_BYTES ||
      header.frame_count > RG_FRAME_POINTER_DEPTH) {
    return;
  }
  events::StackRecord record;
  record.time_ns = static_cast<std::int64_t>(header.time_ns);
  record.tgid = header.tgid;
  record.tid = header.tid;
  std::copy(std::begin(header.registers), std::end(header.registers), record.registers.begin());
  record.frame_pointer_ips.assign(std::begin(header.frame_pointer_ips),
                                  std::begin(header.frame_pointer_ips) + header.frame_count);
  record.stack = bytes.subspan(RG_BURST_HEADER_BYTES, header.stack_bytes);
  const events::UnwoundStack unwound = stacks_.unwind(record);
  if (header.reason == RG_BURST_ORDER) {
    const auto key = order_key({.held = header.held,
                                .wanted = header.wanted,
                                .held_ip = header.held_ip,
                                .wanted_ip = header.wanted_ip,
                                .held_calls = header.held_calls,
                                .wanted_calls = header.wanted_calls});
    if (order_stacks_.size() < detect::kMaxLockOrders && !order_stacks_.contains(key)) {
      order_stacks_.emplace(key, stacks_.with_names(unwound));
    }
    return;
  }
  const auto site = sites_.find({header.wanted, header.wanted_ip, header.wanted_calls});
  if (site == sites_.end()) {
    return;
  }
  if (!site->second.stack) {
    site->second.stack = stacks_.with_names(unwound);
  }
  if (site->second.stacks.size() < kStacksOfASite) {
    std::uint64_t hash = 0;
    for (std::size_t i = 0; i < unwound.reliable_frames; ++i) {
      hash = (hash ^ unwound.frames[i].ip) * 0x100000001b3;  // FNV-1a's prime
    }
    site->second.stacks.insert(hash);
  }
}

}  // namespace raceguard::app
