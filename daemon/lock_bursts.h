// SPDX-License-Identifier: Apache-2.0
// Looks at all lock and unlock calls of one process for some milliseconds now and then, and adds up what that tells.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

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

struct LockBurstOptions {
  pid_t pid = 0;
  std::int64_t burst_ns = 100 * kNsPerMs;  // at most; max_hits ends that of a busy process sooner
  std::uint64_t max_hits = 20'000;         // of one burst, on one CPU: 11 ms of its time where a hit takes 0.55 us
  double budget = 0.01;                    // share of the target's CPU time
  double emulated_ns = 60;                 // calibrated costs of a hit
  double stepped_ns = 700;
  double return_ns = 60;
};

class LockBursts {
 public:
  // kSymbolNotFound, kTargetGone, and those of LockProbes.
  static Result<std::unique_ptr<LockBursts>> open(const LockBurstOptions& options, const Clock& clock);
  LockBursts(const LockBursts&) = delete;
  LockBursts& operator=(const LockBursts&) = delete;

  // One burst, from attaching to detaching; sleeps meanwhile. kTargetGone.
  [[nodiscard]] Result<void> burst();
  // How long to wait before the next one, so that the bursts so far keep to the budget.
  [[nodiscard]] std::int64_t pause_ns() const;
  // The `limit` busiest locks.
  [[nodiscard]] Result<detect::LockReport> report(std::size_t limit);

 private:
  // The process's mappings, read once and again where a stack leaves them.
  class Mappings final : public events::MappingSource {
   public:
    explicit Mappings(targets::ProcessId id) : id_(id) {}
    [[nodiscard]] std::span<const targets::MappedBinary> mappings(pid_t pid) override;
    bool refresh(pid_t pid) override;
    [[nodiscard]] Result<void> read();

   private:
    targets::ProcessId id_;
    std::vector<targets::MappedBinary> binaries_;
  };
  using SiteKey = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;  // lock, ip, RG_CALL_*
  struct Site {
    rg_burst_site sum{};
    std::set<std::uint64_t> release_ips;
    std::set<std::uint64_t> stacks;  // hashes of the callers
    std::optional<events::Stack> stack;
  };
  struct Lock {
    rg_burst_lock sum{};  // without its histogram
    detect::Histogram hold;
  };

  LockBursts(const LockBurstOptions& options, const Clock& clock, targets::ProcessId id, kernel::LockProbes probes);
  void add(const kernel::BurstReading& reading);
  void add_record(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> settle(std::int64_t attached_ns);
  [[nodiscard]] detect::AdvisedLock advised(std::uint64_t address, const Lock& lock);
  void add_sections(std::uint64_t address, detect::LockUse& use);
  [[nodiscard]] symbols::SectionKind section_of(const SiteKey& key, const Site& site);
  [[nodiscard]] std::string name_of(std::uint64_t address);
  [[nodiscard]] std::string place_of(std::uint64_t ip);
  [[nodiscard]] detect::NamedOrder named(const detect::LockOrder& order);

  LockBurstOptions options_;
  const Clock& clock_;
  targets::ProcessId id_;
  Mappings mappings_;
  symbols::Resolver resolver_;
  events::ResolverSymboliser symboliser_;
  events::StackMaker stacks_;
  std::vector<plan::LockSite> sites_to_probe_;
  kernel::LockProbes probes_;

  std::map<std::uint64_t, Lock> locks_;
  std::map<SiteKey, Site> sites_;
  detect::LockOrderGraph orders_;
  std::map<detect::LockOrderKey, events::Stack> order_stacks_;
  std::uint64_t forgotten_ = 0;  // locks and sites beyond what is kept
  std::vector<std::string> notes_;
  detect::BurstCost cost_;
  std::int64_t start_ns_ = 0;
  std::int64_t start_cpu_ns_ = 0;
};

}  // namespace raceguard::app
