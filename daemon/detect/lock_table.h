// SPDX-License-Identifier: Apache-2.0
// Locks that were waited for: the kernel's counters, names, and who waited where for whom. Bounded: at most `max_locks`
// locks and kSitesOfAllLocks code sites; what did not fit is counted.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/detect/finding.h"
#include "daemon/detect/ranked_sites.h"
#include "daemon/detect/recent.h"
#include "raceguard/abi/bpf.h"

namespace raceguard::detect {

inline constexpr std::size_t kSitesOfAllLocks = 1024;  // some 4 KB each with their 12 frames

struct LockId {
  pid_t pid = 0;
  std::uint64_t address = 0;
  friend bool operator==(const LockId&, const LockId&) = default;
  friend auto operator<=>(const LockId&, const LockId&) = default;
};

// What the kernel counted for one futex word.
struct LockInput {
  rg_lock_key key{};
  rg_lock_counters counters{};
};

struct LockSums {
  std::uint64_t waits = 0;
  std::int64_t total_wait_ns = 0;
  std::int64_t longest_ns = 0;  // upper bound of the highest bucket that was hit
  std::uint32_t waiting = 0;    // at once, as seen at the ends of ticks
  LockSums& operator+=(const LockSums& other);
};

struct LockDelta {
  LockId id;
  std::string name;
  std::string guard;
  events::LockStackEvent::WaitKind wait_kind = events::LockStackEvent::WaitKind::kLock;
  LockSums sums;
  Histogram wait;  // empty in recent()
};

struct LockTableOptions {
  std::size_t max_locks = 4096;
  // The data symbol that holds the address ("inventory_lock", "table+0x28"); empty: none (heap, stack).
  std::function<std::optional<std::string>(const LockId&)> data_symbol;
  // The policy entry that the process belongs to.
  std::function<std::string(pid_t)> guard_of;
};

struct LockTableLosses {
  std::uint64_t locks = 0;    // readings of locks beyond max_locks
  std::uint64_t samples = 0;  // stack samples of locks beyond max_locks
  std::uint64_t sites = 0;    // code sites given up because kSitesOfAllLocks was reached
};

class LockTable {
 public:
  explicit LockTable(LockTableOptions options);

  void add(const events::LockStackEvent& sample);
  // One tick's readings of all locks. A lock that is not in the readings keeps its figures.
  void update(std::int64_t now_ns, std::span<const LockInput> readings);
  // The process is gone or has exec'ed: its addresses mean nothing any more.
  void forget_process(pid_t pid);

  // If the table is more than three quarters full, gives up the quarter that was not waited for longest, and returns
  // it: the kernel's map should forget these too (Attachment::forget_locks), or they come back with the next reading.
  std::vector<LockId> make_room();

  // The `limit` locks with the longest total wait, dearest first; locks before conditions.
  [[nodiscard]] std::vector<LockFigures> figures(std::size_t limit) const;
  // What the last update added; locks and conditions without a new wait are left out.
  [[nodiscard]] const std::vector<LockDelta>& last_tick() const { return tick_; }
  // What the last ten seconds added; the same.
  [[nodiscard]] std::vector<LockDelta> recent(std::int64_t now_ns) const;
  // The site that let the lock go most often; nullptr: not sampled yet.
  [[nodiscard]] const RankedSite* main_holder(const LockId& id) const;

  // Empty: the lock is not known, or has no name but its address.
  [[nodiscard]] std::string name_of(const LockId& id) const;

  [[nodiscard]] const LockTableLosses& losses() const { return losses_; }
  [[nodiscard]] std::size_t size() const { return locks_.size(); }

 private:
  struct Lock {
    LockFigures figures;  // without the sites
    bool named = false;
    bool lock_by_stack = false;
    bool condition_by_stack = false;
    rg_lock_counters last{};
    Recent<LockSums> recent;
    RankedSites waiters;
    RankedSites holders;
    std::uint64_t last_sample = 0;  // number of the last sample: the least recent gives up its sites first
  };
  Lock* find_or_make(const LockId& id);
  static void name_by_stack(Lock& lock, const events::LockStackEvent& sample);
  static void judge_kind(Lock& lock, const events::LockStackEvent& sample);
  void limit_sites();

  LockTableOptions options_;
  std::map<LockId, Lock> locks_;
  std::vector<LockDelta> tick_;
  std::uint64_t samples_ = 0;
  std::size_t sites_ = 0;
  LockTableLosses losses_;
};

}  // namespace raceguard::detect
