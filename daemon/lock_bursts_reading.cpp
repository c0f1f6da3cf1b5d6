// SPDX-License-Identifier: Apache-2.0
// What one burst saw, added to what is known of the process.
#include <algorithm>
#include <cstring>

#include "daemon/lock_bursts.h"

namespace raceguard::app {
namespace {

constexpr std::size_t kStacksOfASite = 32;
constexpr std::size_t kReleasesOfASite = 16;

detect::LockOrderKey order_key(const rg_burst_edge_key& key) {
  return {.held = key.held,
          .wanted = key.wanted,
          .held_ip = key.held_ip,
          .wanted_ip = key.wanted_ip,
          .held_for_reading = (key.held_calls & RG_CALL_READ) != 0,
          .wanted_for_reading = (key.wanted_calls & RG_CALL_READ) != 0};
}

detect::LockOrder order_of(const kernel::BurstOrder& seen, std::uint64_t burst) {
  detect::LockOrder order{.key = order_key(seen.key), .count = seen.figures.count, .last_ns = seen.figures.last_ns};
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
  order.bursts[burst] = order.threads;
  return order;
}

// One of its threads had a lock that this burst did not see it take. Of more than are named each may be that thread.
bool is_doubted(const kernel::BurstOrder& seen, const std::set<std::uint32_t>& doubted) {
  const auto& threads = seen.figures.threads;
  return !doubted.empty() &&
         (threads[RG_EDGE_THREADS - 1] != 0 ||
          std::any_of(std::begin(threads), std::end(threads), [&](rg_u32 thread) { return doubted.contains(thread); }));
}

// What can be kept beyond the next reading of the process's mappings: with_names() finds them again.
events::UnwoundStack kept(events::UnwoundStack unwound) {
  for (events::Frame& frame : unwound.frames) {
    frame.binary = nullptr;
  }
  return unwound;
}

}  // namespace

void LockBursts::add(const kernel::BurstReading& reading) {
  for (const kernel::BurstLock& seen : reading.locks) {
    add_lock(seen);
  }
  for (const kernel::BurstSite& seen : reading.sites) {
    add_site(seen);
  }
  add_orders(reading);
}

void LockBursts::add_lock(const kernel::BurstLock& seen) {
  if (locks_.size() >= options_.limits.locks && !locks_.contains(seen.address)) {
    ++forgotten_;
    return;
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

void LockBursts::add_site(const kernel::BurstSite& seen) {
  const SiteKey key{seen.key.address, seen.key.ip, seen.key.calls};
  if (sites_.size() >= options_.limits.sites && !sites_.contains(key)) {
    ++forgotten_;
    return;
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

void LockBursts::add_orders(const kernel::BurstReading& reading) {
  for (const kernel::BurstOrder& seen : reading.orders) {
    if (is_doubted(seen, reading.doubted)) {
      ++cost_.doubted_orders;
    } else {
      orders_.add(order_of(seen, cost_.bursts));
    }
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
    if (order_stacks_.size() < options_.limits.orders && !order_stacks_.contains(key)) {
      order_stacks_.emplace(key, kept(unwound));
    }
    return;
  }
  const auto site = sites_.find({header.wanted, header.wanted_ip, header.wanted_calls});
  if (site == sites_.end()) {
    return;
  }
  if (!site->second.stack) {
    site->second.stack = kept(unwound);
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
