// SPDX-License-Identifier: Apache-2.0
// What LockBursts says in the end: names, sections' code, advice.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "daemon/detect/site_text.h"
#include "daemon/lock_bursts.h"

namespace raceguard::app {
namespace {

constexpr std::uint32_t kCallKinds = RG_CALL_KIND | RG_CALL_READ;

}  // namespace

events::Stack LockBursts::with_names(const events::UnwoundStack& kept) {
  events::UnwoundStack unwound = kept;
  for (events::Frame& frame : unwound.frames) {
    frame.binary = mappings_.find(frame.ip);
  }
  return stacks_.with_names(unwound);
}

const LockBursts::Site* LockBursts::busiest_site(std::uint64_t address) const {
  const Site* busiest = nullptr;
  for (auto site = sites_.lower_bound({address, 0, 0}); site != sites_.end() && std::get<0>(site->first) == address;
       ++site) {
    if (site->second.stack && (busiest == nullptr || site->second.sum.taken > busiest->sum.taken)) {
      busiest = &site->second;
    }
  }
  return busiest;
}

std::string LockBursts::name_of(std::uint64_t address) {
  if (auto symbol = events::data_symbol(resolver_, mappings_.mappings(id_.pid), address)) {
    return *symbol;
  }
  const Site* busiest = busiest_site(address);
  const std::string caller = busiest == nullptr ? std::string() : detect::caller_text(with_names(*busiest->stack));
  return caller.empty() ? fmt::format("lock at {:#x}", address) : "lock first taken in " + caller;
}

std::string LockBursts::place_of(std::uint64_t ip) {
  if (const targets::MappedBinary* binary = mappings_.find(ip)) {
    return detect::site_text(resolver_.resolve_offset(binary->host_path, ip - binary->start + binary->file_offset,
                                                      symbols::AddressKind::kReturnAddress, binary->path));
  }
  return fmt::format("{:#x}", ip);
}

// By the code between the places behind the call that took the lock and those that let it go.
symbols::SectionKind LockBursts::section_of(const SiteKey& key, const Site& site) {
  const std::uint64_t ip = std::get<1>(key);
  const targets::MappedBinary* binary = mappings_.find(ip);
  if (binary == nullptr) {
    return symbols::SectionKind::kUnknown;
  }
  const auto file = resolver_.file(binary->host_path);
  const auto bias = file ? (*file)->load_bias(binary->start, binary->file_offset) : std::nullopt;
  if (!bias) {
    return symbols::SectionKind::kUnknown;
  }
  std::vector<std::uint64_t> ends;
  for (const std::uint64_t end : site.release_ips) {
    ends.push_back(end - *bias);
  }
  std::set<std::uint64_t> passed;
  for (const auto& [other, figures] : sites_) {
    passed.insert(std::get<1>(other) - *bias);
    for (const std::uint64_t release : figures.release_ips) {
      passed.insert(release - *bias);
    }
  }
  return symbols::section_kind(**file, ip - *bias, ends, passed);
}

void LockBursts::add_sections(std::uint64_t address, detect::LockUse& use) {
  std::uint64_t taken = 0;
  std::uint64_t most = 0;
  bool all_replace = true;
  for (auto site = sites_.lower_bound({address, 0, 0}); site != sites_.end() && std::get<0>(site->first) == address;
       ++site) {
    const std::uint32_t calls = std::get<2>(site->first) & kCallKinds;
    const std::uint64_t count = site->second.sum.taken;
    if (count == 0) {
      continue;
    }
    ++use.paths;
    taken += count;
    if (count > most) {
      most = count;
      use.busiest_stacks = static_cast<std::uint32_t>(site->second.stacks.size());
    }
    const symbols::SectionKind kind = section_of(site->first, site->second);
    const bool is_rwlock = (calls & RG_CALL_KIND) == RG_LOCK_PTHREAD_RWLOCK;
    if (is_rwlock ? (calls & RG_CALL_READ) != 0 : kind == symbols::SectionKind::kReads) {
      use.reads += count;
    } else if (!is_rwlock && kind == symbols::SectionKind::kUnknown) {
      use.unknown += count;
      all_replace = false;
    } else {
      use.writes += count;
      ++use.write_paths;
      all_replace = all_replace && kind == symbols::SectionKind::kReplaces;
    }
  }
  use.replaces_whole = all_replace && use.write_paths > 0;
  use.busiest_share = taken == 0 ? 0 : static_cast<double>(most) / static_cast<double>(taken);
}

detect::AdvisedLock LockBursts::advised(std::uint64_t address, const Lock& lock) {
  detect::AdvisedLock advised{.address = address, .name = name_of(address)};
  detect::LockUse& use = advised.use;
  use.kind = static_cast<rg_lock_kind>(lock.sum.kind);
  use.seconds = static_cast<double>(cost_.on_ns) * 1e-9;
  use.contended = lock.sum.contended;
  use.wait_ns = static_cast<std::int64_t>(lock.sum.wait_ns);
  use.hold = lock.hold;
  use.hold_ns = static_cast<std::int64_t>(lock.sum.hold_ns);
  use.max_hold_ns = static_cast<std::int64_t>(lock.sum.max_hold_ns);
  use.probe_ns = static_cast<std::int64_t>(options_.costs.emulated_ns);
  use.many_threads = lock.sum.other_tid != 0;
  add_sections(address, use);
  advised.advice = detect::advise(use);
  if (const Site* busiest = busiest_site(address)) {
    advised.busiest = with_names(*busiest->stack);
  }
  return advised;
}

detect::NamedOrder LockBursts::named(const detect::LockOrder& order) {
  detect::NamedOrder named{.order = order};
  named.held = name_of(order.key.held);
  named.wanted = name_of(order.key.wanted);
  named.held_at = place_of(order.key.held_ip);
  named.wanted_at = place_of(order.key.wanted_ip);
  if (const auto stack = order_stacks_.find(order.key); stack != order_stacks_.end()) {
    named.stack = with_names(stack->second);
  }
  return named;
}

Result<detect::LockReport> LockBursts::report(std::size_t limit) {
  detect::LockReport report;
  report.realtime_ns = clock_.realtime_ns();
  report.pid = id_.pid;
  if (const auto facts = targets::ProcessReader("/proc").read_identity(id_.pid)) {
    report.comm = facts->comm;
  }
  std::vector<std::pair<std::uint64_t, const Lock*>> busiest;
  for (const auto& [address, lock] : locks_) {
    if (lock.sum.reads + lock.sum.writes > 0) {
      busiest.emplace_back(address, &lock);
    }
  }
  report.total = busiest.size();
  std::stable_sort(busiest.begin(), busiest.end(), [](const auto& a, const auto& b) {
    return a.second->sum.reads + a.second->sum.writes > b.second->sum.reads + b.second->sum.writes;
  });
  busiest.resize(std::min(busiest.size(), limit));
  for (const auto& [address, lock] : busiest) {
    report.locks.push_back(advised(address, *lock));
  }
  for (const detect::LockCycle& cycle : orders_.cycles()) {
    std::vector<detect::NamedOrder>& names = report.cycles.emplace_back();
    for (const detect::LockOrder& order : cycle.orders) {
      names.push_back(named(order));
    }
  }
  report.cost = cost_;
  report.notes = notes_;
  if (forgotten_ + orders_.forgotten() > 0) {
    report.notes.push_back(fmt::format("{} readings of locks, places or orders are not kept: there are too many",
                                       forgotten_ + orders_.forgotten()));
  }
  report.drops = drops_;
  report.unseen_unlocks = unseen_unlocks_;
  return report;
}

}  // namespace raceguard::app
