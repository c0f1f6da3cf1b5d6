// SPDX-License-Identifier: Apache-2.0
#include "daemon/detect/lock_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/detect/counters.h"
#include "daemon/detect/site_text.h"
#include "daemon/events/lock_functions.h"

namespace raceguard::detect {
namespace {

using WaitKind = events::LockStackEvent::WaitKind;

WaitKind wait_kind(std::uint32_t wait_class) {
  return wait_class == RG_WAIT_CONDITION ? WaitKind::kCondition : WaitKind::kLock;
}

LockId id_of(const rg_lock_key& key) { return {.pid = static_cast<pid_t>(key.tgid), .address = key.address}; }

bool started_anew(const rg_lock_counters& now, const rg_lock_counters& before) {
  return now.waits < before.waits || now.total_ns < before.total_ns;
}

}  // namespace

LockSums& LockSums::operator+=(const LockSums& other) {
  waits += other.waits;
  total_wait_ns += other.total_wait_ns;
  longest_ns = std::max(longest_ns, other.longest_ns);
  waiting = std::max(waiting, other.waiting);
  return *this;
}

LockTable::LockTable(LockTableOptions options) : options_(std::move(options)) {}

LockTable::Lock* LockTable::find_or_make(const LockId& id) {
  if (const auto found = locks_.find(id); found != locks_.end()) {
    return &found->second;
  }
  if (locks_.size() >= options_.max_locks) {
    return nullptr;
  }
  Lock& lock = locks_[id];
  lock.figures.pid = id.pid;
  lock.figures.address = id.address;
  lock.figures.guard = options_.guard_of ? options_.guard_of(id.pid) : std::string{};
  const auto symbol = options_.data_symbol ? options_.data_symbol(id) : std::nullopt;
  lock.named = symbol.has_value();
  lock.figures.name = symbol.value_or(fmt::format("lock at {:#x}", id.address));
  return &lock;
}

void LockTable::name_by_stack(Lock& lock, const events::LockStackEvent& sample) {
  const std::string caller = lock.named ? std::string{} : caller_text(sample.stack);
  if (!caller.empty()) {
    const bool condition = sample.wait_kind == WaitKind::kCondition;
    lock.figures.name = fmt::format("{} {}", condition ? "condition awaited in" : "lock first taken in", caller);
    lock.named = true;
  }
}

void LockTable::judge_kind(Lock& lock, const events::LockStackEvent& sample) {
  const auto by_stack = events::wait_kind_of(sample.stack);
  if (by_stack == WaitKind::kLock) {
    lock.lock_by_stack = true;
  }
  // A waiter in pthread_cond_wait that takes its mutex back shows the condition's frames (glibc's inner functions have
  // no names in a stripped libc): a word that was seen to be a lock stays one.
  if (lock.lock_by_stack) {
    lock.figures.wait_kind = WaitKind::kLock;
  } else if (by_stack) {
    lock.figures.wait_kind = *by_stack;
    lock.condition_by_stack = true;
  }
}

void LockTable::add(const events::LockStackEvent& sample) {
  Lock* lock = find_or_make({.pid = sample.pid, .address = sample.lock_address});
  if (lock == nullptr) {
    ++losses_.samples;
    return;
  }
  lock->last_sample = ++samples_;
  const bool waiter = sample.role == events::LockStackEvent::Role::kWaiter;
  if (waiter) {
    judge_kind(*lock, sample);
    name_by_stack(*lock, sample);
  }
  RankedSites& sites = waiter ? lock->waiters : lock->holders;
  const std::size_t before = sites.kept();
  sites.add(sample);
  sites_ += sites.kept() - before;
  limit_sites();
}

void LockTable::limit_sites() {
  while (sites_ > kSitesOfAllLocks) {
    Lock* oldest = nullptr;
    for (auto& [id, lock] : locks_) {
      const bool has_sites = lock.waiters.kept() + lock.holders.kept() > 0;
      if (has_sites && (oldest == nullptr || lock.last_sample < oldest->last_sample)) {
        oldest = &lock;
      }
    }
    const std::size_t freed = oldest->waiters.kept() + oldest->holders.kept();
    oldest->waiters.clear();
    oldest->holders.clear();
    sites_ -= freed;
    losses_.sites += freed;
  }
}

void LockTable::update(std::int64_t now_ns, std::span<const LockInput> readings) {
  tick_.clear();
  for (const LockInput& reading : readings) {
    Lock* lock = find_or_make(id_of(reading.key));
    if (lock == nullptr) {
      ++losses_.locks;
      continue;
    }
    const rg_lock_counters& now = reading.counters;
    if (started_anew(now, lock->last)) {
      lock->last = {};
    }
    LockFigures& figures = lock->figures;
    if (!lock->lock_by_stack && !lock->condition_by_stack) {
      figures.wait_kind = wait_kind(now.wait_class);
    }
    figures.waiting_now = now.waiters;
    figures.wakes += added_count(now.wakes, lock->last.wakes);
    if (now.waits == lock->last.waits && now.waiters == 0) {
      lock->last = now;  // most locks at most ticks: the histograms need no comparison
      continue;
    }
    const Histogram added = added_histogram(now.histogram, lock->last.histogram);
    const LockSums sums = {.waits = now.waits - lock->last.waits,
                           .total_wait_ns = static_cast<std::int64_t>(now.total_ns - lock->last.total_ns),
                           .longest_ns = std::min(added.quantile_ns(1), static_cast<std::int64_t>(now.max_ns)),
                           .waiting = now.waiters};
    lock->last = now;
    if (sums.waits == 0 && sums.waiting == 0) {
      continue;
    }
    figures.waits += sums.waits;
    figures.total_wait_ns += sums.total_wait_ns;
    figures.longest_wait_ns = std::max(figures.longest_wait_ns, static_cast<std::int64_t>(now.max_ns));
    figures.wait += added;
    lock->recent.add(now_ns, sums);
    tick_.push_back({.id = id_of(reading.key),
                     .name = figures.name,
                     .guard = figures.guard,
                     .wait_kind = figures.wait_kind,
                     .sums = sums,
                     .wait = added});
  }
}

void LockTable::forget_process(pid_t pid) {
  const auto first = locks_.lower_bound({.pid = pid, .address = 0});
  auto last = first;
  while (last != locks_.end() && last->first.pid == pid) {
    sites_ -= last->second.waiters.kept() + last->second.holders.kept();
    ++last;
  }
  locks_.erase(first, last);
}

std::vector<LockId> LockTable::make_room() {
  std::vector<LockId> given_up;
  if (locks_.size() * 4 <= options_.max_locks * 3) {
    return given_up;
  }
  std::vector<std::pair<std::uint64_t, LockId>> by_age;
  by_age.reserve(locks_.size());
  for (const auto& [id, lock] : locks_) {
    if (lock.last.waiters == 0) {
      by_age.emplace_back(lock.last.last_ns, id);
    }
  }
  const std::size_t count = std::min(by_age.size(), std::max<std::size_t>(1, options_.max_locks / 4));
  std::nth_element(by_age.begin(), by_age.begin() + static_cast<std::ptrdiff_t>(count), by_age.end());
  for (std::size_t i = 0; i < count; ++i) {
    const auto lock = locks_.find(by_age[i].second);
    sites_ -= lock->second.waiters.kept() + lock->second.holders.kept();
    locks_.erase(lock);
    given_up.push_back(by_age[i].second);
  }
  return given_up;
}

std::vector<LockFigures> LockTable::figures(std::size_t limit) const {
  std::vector<const Lock*> order;
  order.reserve(locks_.size());
  for (const auto& [id, lock] : locks_) {
    order.push_back(&lock);
  }
  std::stable_sort(order.begin(), order.end(), [](const Lock* a, const Lock* b) {
    const bool a_condition = a->figures.wait_kind == WaitKind::kCondition;
    const bool b_condition = b->figures.wait_kind == WaitKind::kCondition;
    return a_condition != b_condition ? b_condition : a->figures.total_wait_ns > b->figures.total_wait_ns;
  });
  order.resize(std::min(order.size(), limit));
  std::vector<LockFigures> shown;
  shown.reserve(order.size());
  for (const Lock* lock : order) {
    LockFigures figures = lock->figures;
    figures.waiters = lock->waiters.ranked();
    figures.holders = lock->holders.ranked();
    figures.other_waiters = lock->waiters.other();
    figures.other_holders = lock->holders.other();
    shown.push_back(std::move(figures));
  }
  return shown;
}

std::vector<LockDelta> LockTable::recent(std::int64_t now_ns) const {
  std::vector<LockDelta> all;
  for (const auto& [id, lock] : locks_) {
    const LockSums sums = lock.recent.sum(now_ns);
    if (sums.waits != 0 || sums.waiting != 0) {
      all.push_back({.id = id,
                     .name = lock.figures.name,
                     .guard = lock.figures.guard,
                     .wait_kind = lock.figures.wait_kind,
                     .sums = sums,
                     .wait = {}});
    }
  }
  return all;
}

std::string LockTable::name_of(const LockId& id) const {
  const auto found = locks_.find(id);
  return found == locks_.end() || !found->second.named ? std::string{} : found->second.figures.name;
}

const RankedSite* LockTable::main_holder(const LockId& id) const {
  const auto found = locks_.find(id);
  return found == locks_.end() ? nullptr : found->second.holders.most_frequent();
}

}  // namespace raceguard::detect
