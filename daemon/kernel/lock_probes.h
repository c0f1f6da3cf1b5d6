// SPDX-License-Identifier: Apache-2.0
// Probes on the lock and unlock functions of one process, for a burst at a time (bpf/burst.bpf.c).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "daemon/plan/lock_sites.h"
#include "raceguard/abi/burst.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

struct LockProbesOptions {
  std::uint32_t max_threads = 4096;  // of the process
  std::uint32_t max_locks = 2048;    // seen in one burst; 600 bytes each
  std::uint32_t max_sites = 4096;
  std::uint32_t max_orders = 4096;
  std::uint32_t ring_bytes = 4U << 20U;  // a record is 9 KB
  bool allow_session = true;
};

struct BurstLock {
  std::uint64_t address = 0;
  rg_burst_lock figures{};
};
struct BurstSite {
  rg_burst_site_key key{};
  rg_burst_site figures{};
};
struct BurstOrder {
  rg_burst_edge_key key{};
  rg_burst_edge figures{};
};

// What one burst saw.
struct BurstReading {
  std::vector<BurstLock> locks;
  std::vector<BurstSite> sites;
  std::vector<BurstOrder> orders;
  std::set<std::uint32_t> doubted;  // threads that held a lock since before the burst while they took others in order
};

class LockProbes {
 public:
  // kKernelUnsupported where the kernel has no uprobe_multi (6.6).
  static Result<LockProbes> open(const LockProbesOptions& options = {});
  LockProbes(LockProbes&&) noexcept;
  LockProbes& operator=(LockProbes&&) noexcept;
  ~LockProbes();  // detaches

  // From here on each call of these functions by the process costs it a hit. kTargetGone.
  [[nodiscard]] Result<void> attach(pid_t pid, std::span<const plan::LockSite> sites);
  void detach();

  // A burst ends by itself after `max_hits` hits on a CPU.
  void begin(std::uint64_t max_hits);
  void end();
  [[nodiscard]] bool is_on() const;

  // What the burst saw, once it has ended and the probes are gone; empties the kernel's maps.
  [[nodiscard]] Result<BurstReading> take();
  // rg_record_burst, in order.
  [[nodiscard]] Result<void> drain(const std::function<void(std::span<const std::byte>)>& sink);

  [[nodiscard]] Result<rg_burst_figures> figures() const;          // since open(), without those of single bursts
  [[nodiscard]] Result<std::vector<std::uint64_t>> drops() const;  // by rg_drop_reason
  [[nodiscard]] bool has_sessions() const;

 private:
  struct Impl;
  explicit LockProbes(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
