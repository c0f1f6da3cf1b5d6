// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/lock_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <map>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "daemon/kernel/binary_file.h"
#include "daemon/kernel/burst_object.h"
#include "daemon/kernel/map_access.h"
#include "daemon/kernel/ring.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/kernel/uprobe_set.h"
// after the types of its variables
#include "burst.skel.h"

namespace raceguard::kernel {
namespace {

std::uint64_t cookie_of(const plan::LockSite& site) {
  const std::uint32_t stepped = site.site.kind == symbols::SiteKind::kSingleStepped ? RG_CALL_STEPPED : 0;
  return static_cast<std::uint64_t>(site.site.cfa_offset) << RG_CALL_CFA_SHIFT | site.calls | stepped;
}

void add(UprobeSet& set, const plan::LockSite& site) {
  set.file_offsets.push_back(site.site.file_offset);
  set.cookies.push_back(cookie_of(site));
}

// Reads all of a hash map and empties it.
template <typename Key, typename Value>
Result<std::vector<MapEntry<Key, Value>>> take_hash(const bpf_map* map) {
  const int fd = bpf_map__fd(map);
  auto entries = read_hash<Key, Value>(fd, bpf_map__name(map));
  if (entries) {
    for (const auto& entry : *entries) {
      static_cast<void>(bpf_map_delete_elem(fd, &entry.key));  // gone already: the same
    }
  }
  return entries;
}

}  // namespace

struct LockProbes::Impl {
  BurstObject object;
  std::vector<UniqueFd> links;  // after the object: they go first
  std::optional<Ring> ring;

  [[nodiscard]] int program(const bpf_program* program) const { return bpf_program__fd(program); }
  [[nodiscard]] Result<void> attach(int program, const UprobeSet& set);
  [[nodiscard]] Result<void> attach_file(pid_t pid, const BinaryFile& file, const std::string& shown_as,
                                         const std::vector<const plan::LockSite*>& sites);
};

LockProbes::LockProbes(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LockProbes::LockProbes(LockProbes&&) noexcept = default;
LockProbes& LockProbes::operator=(LockProbes&&) noexcept = default;
LockProbes::~LockProbes() {
  if (impl_) {
    detach();
  }
}

Result<LockProbes> LockProbes::open(const LockProbesOptions& options) {
  if (!kernel_has_uprobe_multi()) {
    return fail(ErrorCode::kKernelUnsupported,
                "cannot probe lock functions of one process alone: the kernel has no uprobe_multi links (6.6)",
                "Other ways would slow every process that uses the same C library");
  }
  auto impl = std::make_unique<Impl>();
  auto object = load_burst_object(options);
  if (!object) {
    return fail(std::move(object).error());
  }
  impl->object = std::move(*object);
  auto ring = Ring::open(impl->object.skeleton->maps.rg_burst_ring);
  if (!ring) {
    return fail(std::move(ring).error());
  }
  impl->ring = std::move(*ring);
  return LockProbes(std::move(impl));
}

bool LockProbes::has_sessions() const { return impl_->object.session; }

Result<void> LockProbes::Impl::attach(int program_fd, const UprobeSet& set) {
  if (set.file_offsets.empty()) {
    return {};
  }
  auto link = attach_uprobes(program_fd, set);
  if (!link) {
    return fail(std::move(link).error());
  }
  links.push_back(std::move(*link));
  return {};
}

Result<void> LockProbes::Impl::attach_file(pid_t pid, const BinaryFile& file, const std::string& shown_as,
                                           const std::vector<const plan::LockSite*>& sites) {
  UprobeSet unlocks{.probe_path = file.probe_path(), .shown_as = shown_as, .pid = pid};
  UprobeSet locks = unlocks;
  for (const plan::LockSite* site : sites) {
    add(site->is_unlock ? unlocks : locks, *site);
  }
  const auto& programs = object.skeleton->progs;
  if (auto attached = attach(program(programs.rg_unlock), unlocks); !attached) {
    return attached;
  }
  if (object.session) {
    locks.kind = UprobeSetKind::kSession;
    return attach(program(programs.rg_lock_session), locks);
  }
  UprobeSet returns = locks;
  returns.kind = UprobeSetKind::kReturn;
  if (auto attached = attach(program(programs.rg_lock_return), returns); !attached) {
    return attached;
  }
  return attach(program(programs.rg_lock_entry), locks);
}

Result<void> LockProbes::attach(pid_t pid, std::span<const plan::LockSite> sites) {
  impl_->object.skeleton->bss->rg_burst_tgid = static_cast<rg_u32>(pid);
  std::map<std::string, std::vector<const plan::LockSite*>> by_file;
  for (const plan::LockSite& site : sites) {
    by_file[site.host_path].push_back(&site);
  }
  for (const auto& [path, of_file] : by_file) {
    auto attached = BinaryFile::open(path, of_file.front()->binary).and_then([&](const BinaryFile& file) {
      return impl_->attach_file(pid, file, path, of_file);
    });
    if (!attached) {
      detach();
      return fail(std::move(attached).error());
    }
  }
  return {};
}

// All at once: each waits for RCU grace periods while its probes are still hit.
void LockProbes::detach() {
  end();
  std::vector<std::jthread> closers;  // two or three, joined at the end of this function
  for (UniqueFd& link : impl_->links) {
    closers.emplace_back([&link] { link.reset(); });
  }
  closers.clear();
  impl_->links.clear();
}

void LockProbes::begin(std::uint64_t max_hits) {
  auto* words = impl_->object.skeleton->bss;
  words->rg_burst_max_hits = max_hits;
  words->rg_burst_number = words->rg_burst_number + 1;
  __atomic_store_n(&words->rg_burst_on, 1, __ATOMIC_RELEASE);
}

void LockProbes::end() { __atomic_store_n(&impl_->object.skeleton->bss->rg_burst_on, 0, __ATOMIC_RELEASE); }

bool LockProbes::is_on() const {
  return __atomic_load_n(&impl_->object.skeleton->bss->rg_burst_on, __ATOMIC_ACQUIRE) != 0;
}

Result<BurstReading> LockProbes::take() {
  const auto& maps = impl_->object.skeleton->maps;
  auto locks = take_hash<rg_u64, rg_burst_lock>(maps.rg_burst_locks);
  if (!locks) {
    return fail(std::move(locks).error());
  }
  auto sites = take_hash<rg_burst_site_key, rg_burst_site>(maps.rg_burst_sites);
  if (!sites) {
    return fail(std::move(sites).error());
  }
  auto orders = take_hash<rg_burst_edge_key, rg_burst_edge>(maps.rg_burst_edges);
  if (!orders) {
    return fail(std::move(orders).error());
  }
  const auto threads = take_hash<rg_u32, rg_burst_thread>(maps.rg_burst_threads);
  if (!threads) {
    return fail(threads.error());
  }
  BurstReading reading;
  for (const auto& entry : *threads) {
    if ((entry.value.flags & RG_THREAD_DOUBTED) != 0) {
      reading.doubted.insert(entry.key);
    }
  }
  for (const auto& entry : *locks) {
    reading.locks.push_back({entry.key, entry.value});
  }
  for (const auto& entry : *sites) {
    reading.sites.push_back({entry.key, entry.value});
  }
  for (const auto& entry : *orders) {
    reading.orders.push_back({entry.key, entry.value});
  }
  return reading;
}

Result<void> LockProbes::drain(const std::function<void(std::span<const std::byte>)>& sink) {
  if (auto drained = impl_->ring->drain(sink); !drained) {
    return fail(std::move(drained).error());
  }
  return {};
}

Result<rg_burst_figures> LockProbes::figures() const {
  const auto of_cpus =
      read_per_cpu<rg_burst_figures>(bpf_map__fd(impl_->object.skeleton->maps.rg_burst_figures), "rg_burst_figures", 0);
  if (!of_cpus) {
    return fail(of_cpus.error());
  }
  rg_burst_figures sum{};
  for (const rg_burst_figures& cpu : *of_cpus) {
    sum.hits += cpu.hits;
    sum.returns += cpu.returns;
    sum.stepped_hits += cpu.stepped_hits;
    sum.foreign_hits += cpu.foreign_hits;
    sum.unseen_unlocks += cpu.unseen_unlocks;
    sum.ended_early += cpu.ended_early;
    sum.worked += cpu.worked;
    sum.timed += cpu.timed;
    sum.timed_ns += cpu.timed_ns;
  }
  return sum;
}

Result<std::vector<std::uint64_t>> LockProbes::drops() const {
  return read_counters(bpf_map__fd(impl_->object.skeleton->maps.rg_drops), "rg_drops", RG_DROP_REASON_COUNT);
}

}  // namespace raceguard::kernel
