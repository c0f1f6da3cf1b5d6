// SPDX-License-Identifier: Apache-2.0
// Which lock was asked for while which was held, kept over bursts; and the cycles in that: threads that take the same
// locks in different orders can end up waiting for each other, though they did not yet. After GoodLock (Havelund,
// SPIN'00; Bensalem and Havelund, HVC'05): a cycle counts if its threads can be at it at the same time.
//
// A burst does not see what a thread holds since before. Two threads that do their steps under one such lock, a gate,
// one today and the other one tomorrow, never meet. But only one of them can have it at the end of a burst: so two
// steps that two threads did in one burst, neither of whom let an unseen lock go afterwards, have none in common, and
// of a step that two threads did in one burst one was without any gate of the other one's.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace raceguard::detect {

struct LockOrderKey {
  std::uint64_t held = 0;  // addresses
  std::uint64_t wanted = 0;
  std::uint64_t held_ip = 0;  // behind the calls that took and asked
  std::uint64_t wanted_ip = 0;
  bool held_for_reading = false;
  bool wanted_for_reading = false;
  friend auto operator<=>(const LockOrderKey&, const LockOrderKey&) = default;
};

struct LockOrder {
  LockOrderKey key;
  std::uint64_t count = 0;
  std::set<std::uint64_t> gates;    // locks that were held for writing since before `held`, each time
  std::set<std::uint32_t> threads;  // some of those who did it
  std::map<std::uint64_t, std::set<std::uint32_t>> bursts;  // the same, by the burst; the last ones
  bool by_two_at_once = false;                              // two threads did it in one burst, whichever
  std::uint64_t last_ns = 0;                                // CLOCK_MONOTONIC
};

struct LockCycle {
  // Each wants what the next one holds, the last one what the first one holds. From the lowest address on.
  std::vector<LockOrder> orders;
};

inline constexpr std::size_t kMaxLockOrders = 8192;
inline constexpr std::size_t kMaxBurstsOfAnOrder = 8;
inline constexpr std::size_t kMaxCycleLength = 4;
inline constexpr std::size_t kMaxCycles = 64;

class LockOrderGraph {
 public:
  explicit LockOrderGraph(std::size_t most = kMaxLockOrders) : most_(most) {}
  // What one burst saw.
  void add(const LockOrder& order);

  // One for each set of locks: of several places that make the same cycle the ones seen most. Not one of a single
  // thread; not one in which two orders have a gate in common, or may have one that no burst saw; not one in which a
  // reader waits for a reader.
  [[nodiscard]] std::vector<LockCycle> cycles() const;
  [[nodiscard]] std::size_t size() const { return orders_.size(); }
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_; }  // orders beyond the most

 private:
  std::size_t most_;
  std::map<LockOrderKey, LockOrder> orders_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace raceguard::detect
