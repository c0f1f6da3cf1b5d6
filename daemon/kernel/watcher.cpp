// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/watcher.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "daemon/kernel/cpu_clock.h"
#include "daemon/kernel/map_access.h"
#include "daemon/kernel/race_object.h"
#include "daemon/kernel/ring.h"
#include "daemon/kernel/watch_events.h"
#include "race.skel.h"

namespace raceguard::kernel {
namespace {

constexpr ino_t kFirstPidNamespace = 0xeffffffc;  // PROC_PID_INIT_INO in linux/proc_ns.h

// glibc keeps thread ids as the process's own pid namespace numbers them.
Result<void> put_namespace(rg_watch& watch, pid_t tgid) {
  struct stat space {};
  const std::string path = fmt::format("/proc/{}/ns/pid", tgid);
  if (::stat(path.c_str(), &space) != 0) {
    return fail_errno(ErrorCode::kTargetGone, fmt::format("cannot watch process {}: cannot read {}", tgid, path),
                      errno);
  }
  if (space.st_ino != kFirstPidNamespace) {
    // The kernel compares with its own way of writing a device number (linux/kdev_t.h).
    watch.namespace_device = static_cast<rg_u64>(major(space.st_dev)) << 20U | minor(space.st_dev);
    watch.namespace_inode = space.st_ino;
  }
  return {};
}

Result<rg_watch> watch_of(const WatchOrder& order, std::int64_t hold_ns) {
  const bool length_fits =
      order.is_code || (std::has_single_bit(order.length) && order.length <= 8 && order.address % order.length == 0);
  if (!length_fits || order.generation == 0 || order.locks.size() > RG_CANDIDATE_LOCKS) {
    return fail(ErrorCode::kKernelUnsupported,
                fmt::format("cannot watch {} bytes at {:#x} with {} locks (order {}): a watchpoint takes 1, 2, 4 or 8 "
                            "aligned bytes, an order at most {} locks",
                            order.length, order.address, order.locks.size(), order.generation, RG_CANDIDATE_LOCKS));
  }
  rg_watch watch{};
  watch.generation = order.generation;
  watch.address = order.address;
  watch.hold_ns = static_cast<rg_u64>(hold_ns);
  watch.length = order.length;
  watch.tgid = static_cast<rg_u32>(order.tgid);
  watch.is_code = order.is_code ? 1 : 0;
  watch.lock_count = static_cast<rg_u32>(order.locks.size());
  std::copy(order.locks.begin(), order.locks.end(), std::begin(watch.locks));
  if (auto put = put_namespace(watch, order.tgid); !put) {
    return fail(std::move(put).error());
  }
  return watch;
}

bool is_taken(const Error& error) { return error.errno_value() == ENOSPC || error.errno_value() == EBUSY; }

constexpr const char* kFreeRegisters =
    "End other users of hardware breakpoints (gdb with watchpoints, perf record -e mem:, another raceguard)";

rg_watch_figures sum(const rg_watch_figures& a, const rg_watch_figures& b) {
  return {a.hits + b.hits,
          a.foreign_hits + b.foreign_hits,
          a.holds + b.holds,
          a.hold_ns + b.hold_ns,
          a.overlaps + b.overlaps,
          a.harmless + b.harmless,
          a.value_changes + b.value_changes};
}

}  // namespace

struct Watcher::Impl {
  RaceObject object;
  std::vector<WatchEvents> slots;  // after the object: they go first
  std::optional<CpuClock> clock;
  std::optional<Ring> ring;
  std::size_t cpus = 0;
  unsigned clock_hz = 0;
  std::int64_t hold_ns = 0;

  // On one CPU nobody can come while a thread is held.
  void set_hold(std::int64_t ns) { hold_ns = cpus == 1 ? 0 : std::clamp(ns, std::int64_t{0}, kLongestHoldNs); }
  [[nodiscard]] int fd(const bpf_map* map) const { return bpf_map__fd(map); }
  [[nodiscard]] Result<void> write_watch(unsigned slot, const rg_watch& watch) const;
  [[nodiscard]] Result<void> forget_last_access(unsigned slot) const;
  [[nodiscard]] Result<WatchEvents*> find(unsigned slot);
};

Result<WatchEvents*> Watcher::Impl::find(unsigned slot) {
  if (slot >= slots.size()) {
    return fail(ErrorCode::kInternal, fmt::format("there is no watchpoint slot {}", slot));
  }
  return &slots[slot];
}

Result<void> Watcher::Impl::write_watch(unsigned slot, const rg_watch& watch) const {
  if (const int status = bpf_map_update_elem(fd(object->maps.rg_watches), &slot, &watch, BPF_ANY); status != 0) {
    return fail(map_error("write", "rg_watches", -status));
  }
  return {};
}

// The slot's events are off: no program runs, and no thread is held.
Result<void> Watcher::Impl::forget_last_access(unsigned slot) const {
  rg_hold hold{};
  const int map = fd(object->maps.rg_holds);
  int status = bpf_map_lookup_elem(map, &slot, &hold);
  hold.last = 0;
  hold.word = 0;
  status = status != 0 ? status : bpf_map_update_elem(map, &slot, &hold, BPF_ANY);
  if (status != 0) {
    return fail(map_error("write", "rg_holds", -status));
  }
  return {};
}

Watcher::Watcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Watcher::Watcher(Watcher&&) noexcept = default;
Watcher& Watcher::operator=(Watcher&&) noexcept = default;
Watcher::~Watcher() = default;

Result<Watcher> Watcher::open(const WatcherOptions& options) {
  const auto cpus = online_cpus();
  if (!cpus) {
    return fail(cpus.error());
  }
  auto object = load_race_object(options);
  if (!object) {
    return fail(std::move(object).error());
  }
  auto impl = std::make_unique<Impl>();
  impl->object = std::move(*object);
  impl->cpus = cpus->size();
  impl->set_hold(options.hold_ns);
  const int program = bpf_program__fd(impl->object->progs.rg_access);
  for (std::uint64_t slot = 0; slot < RG_WATCH_SLOTS; ++slot) {
    auto events = WatchEvents::open(program, slot, *cpus);
    if (events) {
      impl->slots.push_back(std::move(*events));
    } else if (!is_taken(events.error())) {
      return fail(std::move(events).error());
    } else if (slot == 0) {
      return fail(
          ErrorCode::kKernelAttach,
          fmt::format("no hardware watchpoint is free: all {} address registers of a CPU are taken", RG_WATCH_SLOTS),
          kFreeRegisters);
    } else {
      break;
    }
  }
  auto ring = Ring::open(impl->object->maps.rg_access_ring);
  if (!ring) {
    return fail(std::move(ring).error());
  }
  impl->ring = std::move(*ring);
  return Watcher(std::move(impl));
}

unsigned Watcher::slots() const { return static_cast<unsigned>(impl_->slots.size()); }

unsigned Watcher::cpus() const { return static_cast<unsigned>(impl_->cpus); }

std::string Watcher::shortfall() const {
  return slots() == RG_WATCH_SLOTS
             ? std::string{}
             : fmt::format("{} of {} address registers are taken, by a debugger or another tool. {}",
                           RG_WATCH_SLOTS - slots(), RG_WATCH_SLOTS, kFreeRegisters);
}

Result<void> Watcher::arm(unsigned slot, const WatchOrder& order) {
  const auto watch = watch_of(order, impl_->hold_ns);
  if (!watch) {
    return fail(watch.error());
  }
  return impl_->find(slot)
      .and_then([&](WatchEvents* events) {
        return order.is_code ? events->move_to_code(order.address) : events->move(order.address, order.length);
      })
      .and_then([&] { return impl_->forget_last_access(slot); })
      .and_then([&] { return impl_->write_watch(slot, *watch); });
}

Result<void> Watcher::allow(unsigned slot, unsigned hits_per_cpu) {
  return impl_->find(slot).and_then([&](WatchEvents* events) { return events->allow(hits_per_cpu); });
}

Result<void> Watcher::rest(unsigned slot) {
  return impl_->find(slot).and_then([](WatchEvents* events) { return events->stop(); });
}

Result<void> Watcher::disarm(unsigned slot) {
  return rest(slot).and_then([&] { return impl_->write_watch(slot, rg_watch{}); });
}

Result<std::uint64_t> Watcher::remaining(unsigned slot) const {
  return impl_->find(slot).and_then([](WatchEvents* events) { return events->remaining(); });
}

void Watcher::set_hold(std::int64_t hold_ns) { impl_->set_hold(hold_ns); }

Result<void> Watcher::set_hold_interval(std::int64_t interval_ns) {
  impl_->object->bss->rg_hold_interval_ns = static_cast<rg_u64>(std::max<std::int64_t>(interval_ns, 0));
  return {};
}

Result<void> Watcher::start_sampling(pid_t tgid, unsigned hz) {
  if (!impl_->clock || impl_->clock_hz != hz) {
    auto clock = online_cpus().and_then([&](const std::vector<int>& cpus) {
      return CpuClock::open(bpf_program__fd(impl_->object->progs.rg_sample), hz, cpus);
    });
    if (!clock) {
      return fail(std::move(clock).error());
    }
    impl_->clock = std::move(*clock);
    impl_->clock_hz = hz;
  }
  impl_->object->bss->rg_sampled_tgid = static_cast<rg_u32>(tgid);
  return impl_->clock->start();
}

Result<void> Watcher::stop_sampling() {
  impl_->object->bss->rg_sampled_tgid = 0;
  return impl_->clock ? impl_->clock->stop() : Result<void>{};
}

Result<rg_sample_figures> Watcher::read_sample_figures() const {
  const auto of_cpus =
      read_per_cpu<rg_sample_figures>(impl_->fd(impl_->object->maps.rg_sample_figures), "rg_sample_figures", 0);
  if (!of_cpus) {
    return fail(of_cpus.error());
  }
  rg_sample_figures sum{};
  for (const rg_sample_figures& cpu : *of_cpus) {
    sum.samples += cpu.samples;
    sum.run_ns += cpu.run_ns;
  }
  return sum;
}

Result<std::size_t> Watcher::drain(const std::function<void(std::span<const std::byte>)>& sink) {
  return impl_->ring->drain(sink);
}

int Watcher::ring_epoll_fd() const { return impl_->ring->epoll_fd(); }

Result<rg_watch_figures> Watcher::read_figures(unsigned slot) const {
  const auto of_cpus =
      read_per_cpu<rg_watch_figures>(impl_->fd(impl_->object->maps.rg_watch_figures), "rg_watch_figures", slot);
  if (!of_cpus) {
    return fail(of_cpus.error());
  }
  return std::accumulate(of_cpus->begin(), of_cpus->end(), rg_watch_figures{}, sum);
}

Result<std::vector<AccessSiteReading>> Watcher::read_sites(std::uint64_t generation) const {
  const auto all =
      read_hash<rg_access_site_key, rg_access_site>(impl_->fd(impl_->object->maps.rg_access_sites), "rg_access_sites");
  if (!all) {
    return fail(all.error());
  }
  std::vector<AccessSiteReading> sites;
  for (const auto& [key, site] : *all) {
    if (key.generation == generation) {
      sites.push_back({key, site});
    }
  }
  return sites;
}

Result<void> Watcher::tell_access_mode(const rg_access_site_key& site, rg_access_mode mode) {
  const rg_u32 value = mode;
  const int status = bpf_map_update_elem(impl_->fd(impl_->object->maps.rg_access_modes), &site, &value, BPF_ANY);
  if (status != 0) {
    return fail(map_error("write", "rg_access_modes", -status));
  }
  return {};
}

namespace {

template <typename Key>
Result<void> remove(const bpf_map* map, const Key& key) {
  if (const int status = bpf_map_delete_elem(bpf_map__fd(map), &key); status != 0 && status != -ENOENT) {
    return fail(map_error("remove an entry from", bpf_map__name(map), -status));
  }
  return {};
}

// Removes the order's entries from `map`, and those of the same keys from `twin`, if there is one.
template <typename Key, typename Value>
Result<void> forget_generation(const bpf_map* map, std::uint64_t generation, const bpf_map* twin = nullptr) {
  const auto all = read_hash<Key, Value>(bpf_map__fd(map), bpf_map__name(map));
  if (!all) {
    return fail(all.error());
  }
  for (const auto& entry : *all) {
    if (entry.key.generation != generation) {
      continue;
    }
    auto removed = remove(map, entry.key);
    if (removed && twin != nullptr) {
      removed = remove(twin, entry.key);
    }
    if (!removed) {
      return removed;
    }
  }
  return {};
}

}  // namespace

Result<void> Watcher::forget_sites(std::uint64_t generation) {
  const auto& maps = impl_->object->maps;
  // A mode is told of a site that is there.
  return forget_generation<rg_access_site_key, rg_access_site>(maps.rg_access_sites, generation, maps.rg_access_modes)
      .and_then([&] { return forget_generation<rg_access_pair_key, rg_u64>(maps.rg_access_pairs, generation); });
}

Result<std::vector<std::uint64_t>> Watcher::read_drops() const {
  auto drops = read_counters(impl_->fd(impl_->object->maps.rg_drops), "rg_drops", RG_DROP_REASON_COUNT);
  // The kernel runs no program where another one is under way on the CPU, but counts the hit.
  for (unsigned slot = 0; drops && slot < slots(); ++slot) {
    const auto hits = impl_->slots[slot].hits();  // first, so that a hit in between does not count as missed
    const auto figures = read_figures(slot);
    if (!figures || !hits) {
      return fail(figures ? hits.error() : figures.error());
    }
    const std::uint64_t seen = figures->hits + figures->foreign_hits;
    (*drops)[RG_DROP_PROGRAM_MISSED] += *hits > seen ? *hits - seen : 0;
  }
  return drops;
}

}  // namespace raceguard::kernel
