// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/attachment.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <unordered_map>
#include <utility>

#include "daemon/kernel/bpf_object.h"
#include "daemon/kernel/function_probes.h"
#include "daemon/kernel/map_access.h"
#include "daemon/kernel/pid_tgid.h"
#include "daemon/kernel/ring.h"
#include "daemon/kernel/switch_words.h"
#include "raceguard.skel.h"

namespace raceguard::kernel {
namespace {

template <typename T>
void collect(std::vector<T>& all, std::optional<T> one) {
  if (one) {
    all.push_back(std::move(*one));
  }
}

Result<std::vector<bpf_prog_info>> program_infos(const raceguard_bpf& skeleton) {
  std::vector<bpf_prog_info> infos;
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(skeleton.obj, program)) != nullptr) {
    if (!bpf_program__autoload(program)) {
      continue;
    }
    rg_u32 length = sizeof(bpf_prog_info);
    const int status = bpf_prog_get_info_by_fd(bpf_program__fd(program), &infos.emplace_back(), &length);
    if (status != 0) {
      return fail(map_error("read the figures of program", bpf_program__name(program), -status));
    }
  }
  return infos;
}

bool thread_is_gone(rg_u64 pid_tgid) { return ::tgkill(pid_of(pid_tgid), tid_of(pid_tgid), 0) != 0 && errno == ESRCH; }

}  // namespace

struct Attachment::Impl {
  Impl(BpfObject loaded, const AttachmentOptions& options)
      : object(std::move(loaded)),
        functions(*object.skeleton, object.uprobe_way, object.uprobe_session, options.max_functions),
        words(object.skeleton->progs.rg_marker, object.uprobe_way) {}

  BpfObject object;
  FunctionProbes functions;  // after the object: its links go first
  SwitchWords words;
  std::optional<Ring> ring;
  std::uint64_t expired_calls = 0;
  std::map<std::uint32_t, Error> refused;

  [[nodiscard]] int fd(const bpf_map* map) const { return bpf_map__fd(map); }
  [[nodiscard]] const auto& maps() const { return object.skeleton->maps; }
  [[nodiscard]] std::optional<Error> add_target(const plan::TargetEntry& entry) const;
  [[nodiscard]] std::optional<Error> remove_target(pid_t pid) const;
};

std::optional<Error> Attachment::Impl::add_target(const plan::TargetEntry& entry) const {
  const auto tgid = static_cast<rg_u32>(entry.id.pid);
  rg_target target{};
  target.target_id = entry.guard_index;
  const rg_u32 contention = entry.contention_rests ? RG_TARGET_RESTS : RG_TARGET_CONTENTION;
  target.flags = (entry.contention ? contention : 0) | (entry.functions ? RG_TARGET_FUNCTIONS : 0);
  if (const int status = bpf_map_update_elem(fd(maps().rg_targets), &tgid, &target, BPF_ANY); status != 0) {
    return kernel_error(Request::kMap, fmt::format("cannot add process {} to BPF map rg_targets", tgid), -status);
  }
  // A process that exited before the line above has nobody left to take its entry out.
  return ::kill(entry.id.pid, 0) != 0 && errno == ESRCH ? remove_target(entry.id.pid) : std::nullopt;
}

std::optional<Error> Attachment::Impl::remove_target(pid_t pid) const {
  const auto tgid = static_cast<rg_u32>(pid);
  const int status = bpf_map_delete_elem(fd(maps().rg_targets), &tgid);
  return status == 0 || status == -ENOENT ? std::nullopt
                                          : std::optional(map_error("remove a process from", "rg_targets", -status));
}

Attachment::Attachment(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Attachment::Attachment(Attachment&&) noexcept = default;
Attachment& Attachment::operator=(Attachment&&) noexcept = default;
Attachment::~Attachment() = default;

Result<Attachment> Attachment::open(const AttachmentOptions& options) {
  auto object = load_bpf_object(options);
  if (!object) {
    return fail(std::move(object).error());
  }
  auto impl = std::make_unique<Impl>(std::move(*object), options);
  auto ring = Ring::open(impl->maps().rg_ring);
  if (!ring) {
    return fail(std::move(ring).error());
  }
  impl->ring = std::move(*ring);
  return Attachment(std::move(impl));
}

std::vector<Error> Attachment::apply(const plan::PlanDifference& difference) {
  std::vector<Error> errors;
  impl_->refused.clear();
  for (const targets::ProcessId& id : difference.remove_targets) {
    collect(errors, impl_->remove_target(id.pid));
  }
  for (Error& error : impl_->functions.remove(difference.remove_functions)) {
    errors.push_back(std::move(error));
  }
  for (const plan::SwitchWord& word : difference.remove_words) {
    impl_->words.remove(word);
  }
  // Targets before functions: contention counts at once, attaching takes its time.
  for (const plan::TargetEntry& entry : difference.add_targets) {
    collect(errors, impl_->add_target(entry));
  }
  for (const plan::SwitchWord& word : difference.add_words) {
    collect(errors, impl_->words.add(word));
  }
  for (const plan::FunctionProbe& probe : difference.update_functions) {
    collect(errors, impl_->functions.update(probe));
  }
  for (const plan::FunctionProbe& probe : difference.add_functions) {
    if (auto error = impl_->functions.add(probe)) {
      impl_->refused.emplace(probe.function_id, *error);
      errors.push_back(std::move(*error));
    }
  }
  return errors;
}

const std::map<std::uint32_t, Error>& Attachment::refused_functions() const { return impl_->refused; }

std::vector<Error> Attachment::set_word(const std::string& switch_name, unsigned value) {
  return impl_->words.set(switch_name, value);
}

Result<std::size_t> Attachment::drain(const Ring::Sink& sink) { return impl_->ring->drain(sink); }

int Attachment::ring_epoll_fd() const { return impl_->ring->epoll_fd(); }

Result<std::vector<FunctionReading>> Attachment::read_functions() const { return impl_->functions.read(); }

namespace {

void add(rg_program_runs& sum, const rg_program_runs& cpu) {
  sum.runs += cpu.runs;
  sum.timed += cpu.timed;
  sum.timed_ns += cpu.timed_ns;
}

template <typename Reading, typename Key, typename Value>
Result<std::vector<Reading>> readings_of(int map, const char* name) {
  auto entries = read_hash<Key, Value>(map, name);
  if (!entries) {
    return fail(std::move(entries).error());
  }
  std::vector<Reading> readings;
  readings.reserve(entries->size());
  for (const auto& entry : *entries) {
    readings.push_back({entry.key, entry.value});
  }
  return readings;
}

}  // namespace

Result<std::vector<LockReading>> Attachment::read_locks() const {
  return readings_of<LockReading, rg_lock_key, rg_lock_counters>(impl_->fd(impl_->maps().rg_locks), "rg_locks");
}

Result<std::vector<rg_contention_counters>> Attachment::read_contention(std::uint32_t target_groups) const {
  std::vector<rg_contention_counters> sums(target_groups);
  for (rg_u32 target_id = 0; target_id < target_groups; ++target_id) {
    const auto of_cpus = read_per_cpu<rg_contention_counters>(impl_->fd(impl_->maps().rg_contention_figures),
                                                              "rg_contention_figures", target_id);
    if (!of_cpus) {
      return fail(of_cpus.error());
    }
    for (const rg_contention_counters& cpu : *of_cpus) {
      add(sums[target_id].calls, cpu.calls);
      add(sums[target_id].waits, cpu.waits);
      sums[target_id].resting_calls += cpu.resting_calls;
    }
  }
  return sums;
}

// A wait that ends unseen must not be taken for one that lasts.
Result<void> Attachment::pause_contention() {
  impl_->object.futex_links.clear();
  const int waits = impl_->fd(impl_->maps().rg_waits);
  const auto under_way = read_hash<rg_u64, rg_wait>(waits, "rg_waits");
  if (!under_way) {
    return fail(under_way.error());
  }
  for (const auto& entry : *under_way) {
    if (const int status = bpf_map_delete_elem(waits, &entry.key); status != 0 && status != -ENOENT) {
      return fail(map_error("remove a wait from", "rg_waits", -status));
    }
  }
  auto locks = read_locks();
  if (!locks) {
    return fail(std::move(locks).error());
  }
  for (LockReading& lock : *locks) {
    if (std::exchange(lock.counters.waiters, 0U) == 0) {
      continue;
    }
    const int status = bpf_map_update_elem(impl_->fd(impl_->maps().rg_locks), &lock.key, &lock.counters, BPF_EXIST);
    if (status != 0 && status != -ENOENT) {
      return fail(map_error("write", "rg_locks", -status));
    }
  }
  return {};
}

Result<void> Attachment::resume_contention() { return attach_futex(impl_->object); }

Result<std::vector<ObjectReading>> Attachment::read_objects() const {
  return readings_of<ObjectReading, rg_object_key, rg_object>(impl_->fd(impl_->maps().rg_objects), "rg_objects");
}

Result<std::vector<WaitReading>> Attachment::read_waits() const {
  return readings_of<WaitReading, rg_u64, rg_wait>(impl_->fd(impl_->maps().rg_waits), "rg_waits");
}

Result<std::vector<std::uint64_t>> Attachment::read_drops() const {
  auto counted = read_counters(impl_->fd(impl_->maps().rg_drops), "rg_drops", RG_DROP_REASON_COUNT);
  if (!counted) {
    return counted;
  }
  std::vector<std::uint64_t>& drops = *counted;
  drops[RG_DROP_CALL_EXPIRED] += impl_->expired_calls;
  const auto programs = program_infos(*impl_->object.skeleton);
  if (!programs) {
    return fail(programs.error());
  }
  for (const bpf_prog_info& info : *programs) {
    drops[RG_DROP_PROGRAM_MISSED] += info.recursion_misses;
  }
  return counted;
}

Result<std::size_t> Attachment::expire_calls(std::int64_t now_ns, std::int64_t expiry_ns) {
  const int map = impl_->fd(impl_->maps().rg_calls);
  const auto calls = read_hash<rg_call_key, rg_call>(map, "rg_calls");
  if (!calls) {
    return fail(calls.error());
  }
  std::unordered_map<rg_u64, bool> gone;
  std::size_t expired = 0;
  for (const auto& [key, call] : *calls) {
    const bool old = now_ns - static_cast<std::int64_t>(call.entry_ns) > expiry_ns;
    if (!old) {
      const auto [thread, is_new] = gone.try_emplace(key.pid_tgid, false);
      if (is_new) {
        thread->second = thread_is_gone(key.pid_tgid);
      }
      if (!thread->second) {
        continue;
      }
    }
    // A call that returned meanwhile is not there any more, and not counted.
    expired += bpf_map_delete_elem(map, &key) == 0 ? 1 : 0;
  }
  impl_->expired_calls += expired;
  return expired;
}

Result<std::size_t> Attachment::forget_process(pid_t tgid) {
  const auto locks = read_locks();
  if (!locks) {
    return fail(locks.error());
  }
  std::vector<rg_lock_key> keys;
  for (const LockReading& lock : *locks) {
    if (lock.key.tgid == static_cast<rg_u32>(tgid)) {
      keys.push_back(lock.key);
    }
  }
  return forget_locks(keys);
}

Result<std::size_t> Attachment::forget_locks(std::span<const rg_lock_key> keys) {
  std::size_t forgotten = 0;
  for (const rg_lock_key& key : keys) {
    const int status = bpf_map_delete_elem(impl_->fd(impl_->maps().rg_locks), &key);
    if (status != 0 && status != -ENOENT) {
      return fail(map_error("remove a lock from", "rg_locks", -status));
    }
    forgotten += status == 0 ? 1 : 0;
  }
  return forgotten;
}

Result<std::vector<ProbeRunCost>> Attachment::run_costs() const {
  const auto programs = program_infos(*impl_->object.skeleton);
  if (!programs) {
    return fail(programs.error());
  }
  std::vector<ProbeRunCost> costs;
  for (const bpf_prog_info& info : *programs) {
    costs.push_back({info.name, info.run_cnt, info.run_time_ns});
  }
  return costs;
}

bool Attachment::uses_uprobe_multi() const { return impl_->object.uprobe_way == UprobeWay::kMulti; }
bool Attachment::uses_uprobe_session() const { return impl_->object.uprobe_session; }
FutexHook Attachment::futex_hook() const { return impl_->object.futex_hook; }
std::size_t Attachment::attached_functions() const { return impl_->functions.size(); }

}  // namespace raceguard::kernel
