// SPDX-License-Identifier: Apache-2.0
// Everything that raceguard has in the kernel: one loaded BPF object, its links and its maps. Detaches in its
// destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "daemon/plan/probe_plan.h"
#include "daemon/policy/policy.h"
#include "raceguard/abi/bpf.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

// How futex calls are seen, best first. The figures are nanoseconds that were added, on 6.18 in a nested VM, to an
// unrelated system call of 164 ns, and to a futex call of 232 ns by a process that is no target.
enum class FutexHook {
  kFunction,       // fentry and fexit of the call's function: 0 / not measured there; needs BPF trampolines
  kTracepoint,     // perf tracepoints: 62 / 272; needs tracefs (mounted, or CAP_SYS_ADMIN)
  kRawTracepoint,  // raw tracepoints of all system calls: 116 / 163
};

struct AttachmentOptions {
  std::uint32_t max_functions = 512;
  std::uint32_t max_locks = 4096;
  std::uint32_t max_targets = 4096;
  std::uint32_t max_calls_in_flight = 65536;
  std::uint32_t max_waits = 16384;  // threads of targets that waited on a futex once
  std::uint32_t ring_bytes = 4U << 20U;
  std::uint32_t stack_samples_per_second = 20;        // per CPU
  bool allow_uprobe_multi = true;                     // false: always single perf events (tests of the fallback)
  bool allow_uprobe_session = true;                   // false: entry and return apart (tests of the fallback)
  FutexHook first_futex_hook = FutexHook::kFunction;  // this one or a later one (tests of the fallbacks)
};

struct FunctionReading {
  std::uint32_t function_id = 0;
  rg_function_counters sum{};  // over CPUs; max_ns is the maximum
};

struct LockReading {
  rg_lock_key key{};
  rg_lock_counters counters{};
};

struct WaitReading {
  rg_u64 pid_tgid = 0;
  rg_wait wait{};  // start_ns 0: the thread does not wait now
};

struct ObjectReading {
  rg_object_key key{};
  rg_object object{};
};

struct ProbeRunCost {
  std::string program;
  std::uint64_t runs = 0;
  std::uint64_t run_time_ns = 0;  // needs kernel.bpf_stats_enabled or BPF_ENABLE_STATS; else 0
};

class Attachment {
 public:
  // Loads the object and attaches what needs no target (task life, futex tracepoints). Needs CAP_BPF and CAP_PERFMON.
  static Result<Attachment> open(const AttachmentOptions& options);

  Attachment(Attachment&&) noexcept;
  Attachment& operator=(Attachment&&) noexcept;
  ~Attachment();

  // Carries out the difference. What fails is returned, one error each; the rest is done.
  [[nodiscard]] std::vector<Error> apply(const plan::PlanDifference& difference);
  // The functions among them that the last apply() could not add, by id.
  [[nodiscard]] const std::map<std::uint32_t, Error>& refused_functions() const;

  // Sets the kernel-held word of a switch in every binary of the plan: 0 closed, 1 open, 2 half-open.
  // The word counts the uprobes on the marker (ref_ctr_offset). A word that was never planned is no error.
  [[nodiscard]] std::vector<Error> set_word(const std::string& switch_name, unsigned value);

  // Calls `sink` with every record that waits in the ring, in order. Never blocks.
  [[nodiscard]] Result<std::size_t> drain(const std::function<void(std::span<const std::byte>)>& sink);
  [[nodiscard]] int ring_epoll_fd() const;

  // Futex calls are not seen, and cost nothing, until resume_contention(): what waits of now add up to is forgotten,
  // the locks' figures stay.
  [[nodiscard]] Result<void> pause_contention();
  [[nodiscard]] Result<void> resume_contention();

  [[nodiscard]] Result<std::vector<FunctionReading>> read_functions() const;
  [[nodiscard]] Result<std::vector<LockReading>> read_locks() const;
  // What the contention programs did for the first so many target ids, RG_MAX_TARGET_GROUPS at most.
  [[nodiscard]] Result<std::vector<rg_contention_counters>> read_contention(std::uint32_t target_groups) const;
  // Of every thread that waited once, max_waits at most. Written while it is read: an entry may be half of an old and
  // half of a new wait.
  [[nodiscard]] Result<std::vector<WaitReading>> read_waits() const;
  // What functions with an object_argument were called with of late, 1024 objects at most.
  [[nodiscard]] Result<std::vector<ObjectReading>> read_objects() const;
  [[nodiscard]] Result<std::vector<std::uint64_t>> read_drops() const;  // by enum rg_drop_reason
  // Drops calls in flight that are older than `expiry_ns` or whose thread is gone; returns how many.
  [[nodiscard]] Result<std::size_t> expire_calls(std::int64_t now_ns, std::int64_t expiry_ns);
  // Forgets the locks of a process that is gone.
  [[nodiscard]] Result<std::size_t> forget_process(pid_t tgid);
  // Forgets single locks, to make room when the map fills up (locks_full). A wait in progress is then lost and counted.
  [[nodiscard]] Result<std::size_t> forget_locks(std::span<const rg_lock_key> keys);
  // One entry per BPF program.
  [[nodiscard]] Result<std::vector<ProbeRunCost>> run_costs() const;

  [[nodiscard]] bool uses_uprobe_multi() const;
  // Functions whose site takes the return probe too have one session: who is not counted pays for the entry alone, and
  // FunctionProbe::return_shift saves the callers the returns that it leaves out.
  [[nodiscard]] bool uses_uprobe_session() const;
  [[nodiscard]] FutexHook futex_hook() const;
  [[nodiscard]] std::size_t attached_functions() const;

 private:
  struct Impl;
  explicit Attachment(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::kernel
