// SPDX-License-Identifier: Apache-2.0
// Hardware watchpoints on a target's memory, on all CPUs, with the BPF program that counts, holds and reports accesses.
// An event of every CPU and address register is opened once, and moved (PERF_EVENT_IOC_MODIFY_ATTRIBUTES): the cost
// does not grow with the target's threads. Everything is given back in the destructor.
//
// Measured 2026-11-23, kernel 6.18 in a nested VM, 2 CPUs, medians of 500: open 200 ms (of it 44 ms the verifier), arm
// 28 us, allow 22 us, disarm 21 us, remaining 1 us, read_figures 1 us, read_sites 12 us, read_drops 25 us, close 4 ms;
// arm, allow and disarm take an interrupt on each CPU. A hit costs the target 9.7 us (8.7 us with a program that does
// nothing).
//
// Not seen: what the kernel does on the target's behalf (read(2) into a watched buffer), another process's access
// through a mapping of its own; both show as a value change if they fall into a hold.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "raceguard/abi/race.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

inline constexpr std::int64_t kLongestHoldNs = 1'000'000;

struct WatcherOptions {
  std::int64_t hold_ns = 50'000;  // 0 .. kLongestHoldNs; 0: no proofs
  std::uint32_t ring_bytes = 4U << 20U;
  std::uint32_t max_sites = 8192;
};

// What to watch. `generation` is the caller's name for the order, never 0 and never used twice.
struct WatchOrder {
  std::uint64_t generation = 0;
  pid_t tgid = 0;
  std::uint64_t address = 0;             // aligned to `length`
  std::uint32_t length = 8;              // 1, 2, 4, 8
  std::vector<rg_candidate_lock> locks;  // at most RG_CANDIDATE_LOCKS
  bool is_code = false;                  // `address` is an instruction: each hit is a RG_RECORD_SAMPLE, and no more
};

struct AccessSiteReading {
  rg_access_site_key key{};
  rg_access_site site{};
};

class Watcher {
 public:
  // Needs CAP_BPF and CAP_PERFMON. kKernelAttach: no address register at all is free; kKernelUnsupported: there are
  // none.
  static Result<Watcher> open(const WatcherOptions& options);
  Watcher(Watcher&&) noexcept;
  Watcher& operator=(Watcher&&) noexcept;
  ~Watcher();

  // Address registers that are ours on every CPU; and what to tell the user if they are fewer than RG_WATCH_SLOTS
  // ("2 of 4 address registers are taken, by a debugger or another tool"); empty: all.
  [[nodiscard]] unsigned slots() const;
  [[nodiscard]] std::string shortfall() const;
  [[nodiscard]] unsigned cpus() const;  // online; with one, nothing can be proven

  // Points the slot at the address; it counts nothing before allow().
  [[nodiscard]] Result<void> arm(unsigned slot, const WatchOrder& order);
  // Lets each CPU take so many more hits on the slot; then the kernel ends it by itself (PERF_EVENT_IOC_REFRESH).
  [[nodiscard]] Result<void> allow(unsigned slot, unsigned hits_per_cpu);
  // Off until allow(); the order stays.
  [[nodiscard]] Result<void> rest(unsigned slot);
  [[nodiscard]] Result<void> disarm(unsigned slot);
  // Hits of the allowance that were not taken yet, all CPUs together; 0: the slot sees nothing any more.
  [[nodiscard]] Result<std::uint64_t> remaining(unsigned slot) const;
  // The longest hold of orders that are armed from now on; 0 .. kLongestHoldNs.
  void set_hold(std::int64_t hold_ns);
  // Mean distance of two holds, all slots and CPUs together; 0: no holds. Takes effect at once.
  [[nodiscard]] Result<void> set_hold_interval(std::int64_t interval_ns);

  // Samples where the process's threads are (RG_RECORD_SAMPLE), `hz` times a second on each CPU that one of them uses.
  [[nodiscard]] Result<void> start_sampling(pid_t tgid, unsigned hz);
  [[nodiscard]] Result<void> stop_sampling();
  [[nodiscard]] Result<rg_sample_figures> read_sample_figures() const;  // sum over CPUs, of all processes so far

  // Records in order; never blocks. RG_RECORD_ACCESS, RG_RECORD_SAMPLE.
  [[nodiscard]] Result<std::size_t> drain(const std::function<void(std::span<const std::byte>)>& sink);
  [[nodiscard]] int ring_epoll_fd() const;
  [[nodiscard]] Result<rg_watch_figures> read_figures(unsigned slot) const;  // sum over CPUs
  [[nodiscard]] Result<std::vector<AccessSiteReading>> read_sites(std::uint64_t generation) const;
  // What the instruction in front of `ip` was decoded to: overlaps that cannot be a race are then passed over
  // (rg_watch_figures.harmless), and the hold goes on to wait for one that can.
  [[nodiscard]] Result<void> tell_access_mode(const rg_access_site_key& site, rg_access_mode mode);
  // Sites, modes and pairs of the order.
  [[nodiscard]] Result<void> forget_sites(std::uint64_t generation);
  [[nodiscard]] Result<std::vector<std::uint64_t>> read_drops() const;  // by enum rg_drop_reason

 private:
  struct Impl;
  explicit Watcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
