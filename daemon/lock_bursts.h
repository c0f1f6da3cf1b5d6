// SPDX-License-Identifier: Apache-2.0
// Looks at all lock and unlock calls of one process for some milliseconds now and then, and adds up what that tells.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/burst_costs.h"
#include "daemon/burst_subject.h"
#include "daemon/detect/lock_report.h"
#include "daemon/events/decoder.h"
#include "daemon/events/names.h"
#include "daemon/events/stack_maker.h"
#include "daemon/kernel/lock_probes.h"
#include "daemon/symbols/critical_section.h"
#include "daemon/symbols/resolver.h"
#include "daemon/targets/process_reader.h"
#include "raceguard/clock.h"
#include "raceguard/error.h"

namespace raceguard::app {

// What is kept of a process over its bursts; more is counted and forgotten.
struct LockBurstLimits {
  std::size_t locks = 8192;                     // 1.1 KB each
  std::size_t sites = 16384;                    // some 2 KB each
  std::size_t orders = detect::kMaxLockOrders;  // some 1.5 KB each
};

struct LockBurstOptions {
  pid_t pid = 0;
  std::int64_t burst_ns = 100 * kNsPerMs;  // at most; max_hits ends that of a busy process sooner
  std::uint64_t max_hits = 20'000;         // of one burst, on one CPU: 11 ms of its time where a hit takes 0.55 us
  double budget = 0.01;                    // share of the target's CPU time
  BurstHitCosts costs;
  LockBurstLimits limits;
};

class LockBursts final : public BurstSubject {
 public:
  // What those of several processes share, in turns; must outlive them.
  struct Tools {
    const Clock& clock;
    kernel::LockProbes& probes;
    symbols::Resolver& resolver;
  };
  // kSymbolNotFound, kTargetGone.
  static Result<std::unique_ptr<LockBursts>> open(const LockBurstOptions& options, const Tools& tools);
  LockBursts(const LockBursts&) = delete;
  LockBursts& operator=(const LockBursts&) = delete;

  // kTargetGone also where the process has another image by now.
  [[nodiscard]] Result<void> burst(const std::function<bool()>& goes_on) override;
  [[nodiscard]] std::int64_t pause_ns() const override;
  [[nodiscard]] const detect::BurstCost& cost() const override { return cost_; }
  [[nodiscard]] Result<detect::LockReport> report(std::size_t limit) override;

 private:
  // The process's mappings, read once and again where a stack leaves them.
  class Mappings final : public events::MappingSource {
   public:
    explicit Mappings(targets::ProcessId id) : id_(id) {}
    [[nodiscard]] std::span<const targets::MappedBinary> mappings(pid_t pid) override;
    bool refresh(pid_t pid) override;
    [[nodiscard]] Result<void> read();
    [[nodiscard]] const targets::MappedBinary* find(std::uint64_t address) const;  // null: in none

   private:
    targets::ProcessId id_;
    std::vector<targets::MappedBinary> binaries_;
  };
  using SiteKey = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;  // lock, ip, RG_CALL_*
  struct Site {
    rg_burst_site sum{};
    std::set<std::uint64_t> release_ips;
    std::set<std::uint64_t> stacks;             // hashes of the callers
    std::optional<events::UnwoundStack> stack;  // as kept()
  };
  struct Lock {
    rg_burst_lock sum{};  // without its histogram
    detect::Histogram hold;
  };

  LockBursts(const LockBurstOptions& options, const Tools& tools, targets::ProcessId id);
  [[nodiscard]] Result<void> has_same_image();
  [[nodiscard]] Result<void> settle();
  void charge(const rg_burst_figures& figures);
  // lock_bursts_reading.cpp
  void add(const kernel::BurstReading& reading);
  void add_lock(const kernel::BurstLock& seen);
  void add_site(const kernel::BurstSite& seen);
  void add_orders(const kernel::BurstReading& reading);
  void add_record(std::span<const std::byte> bytes);
  // lock_bursts_report.cpp
  [[nodiscard]] events::Stack with_names(const events::UnwoundStack& kept);
  [[nodiscard]] const Site* busiest_site(std::uint64_t address) const;
  [[nodiscard]] detect::AdvisedLock advised(std::uint64_t address, const Lock& lock);
  void add_sections(std::uint64_t address, detect::LockUse& use);
  [[nodiscard]] symbols::SectionKind section_of(const SiteKey& key, const Site& site);
  [[nodiscard]] std::string name_of(std::uint64_t address);
  [[nodiscard]] std::string place_of(std::uint64_t ip);
  [[nodiscard]] detect::NamedOrder named(const detect::LockOrder& order);

  LockBurstOptions options_;
  const Clock& clock_;
  kernel::LockProbes& probes_;
  symbols::Resolver& resolver_;
  targets::ProcessId id_;
  Mappings mappings_;
  events::ResolverSymboliser symboliser_;
  events::StackMaker stacks_;
  targets::MappedBinary image_;  // the executable, as it was mapped at first
  std::vector<plan::LockSite> sites_to_probe_;

  std::map<std::uint64_t, Lock> locks_;
  std::map<SiteKey, Site> sites_;
  detect::LockOrderGraph orders_;
  std::map<detect::LockOrderKey, events::UnwoundStack> order_stacks_;  // as kept()
  std::uint64_t forgotten_ = 0;                                        // locks and sites beyond what is kept
  std::vector<std::string> notes_;
  detect::BurstCost cost_;
  std::uint64_t unseen_unlocks_ = 0;
  double timed_ = 0;  // programs that measured themselves
  double timed_ns_ = 0;
  std::vector<std::uint64_t> drops_;
  std::int64_t start_ns_ = 0;
  std::int64_t start_cpu_ns_ = 0;
};

}  // namespace raceguard::app
