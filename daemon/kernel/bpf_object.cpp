// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/bpf_object.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "raceguard.skel.h"
#include "raceguard/clock.h"

namespace raceguard::kernel {
namespace {

constexpr std::size_t kVerifierLines = 6;

struct MapSize {
  bpf_map* map;
  std::uint32_t entries;
};

std::optional<Error> size_maps(const raceguard_bpf& skeleton, const AttachmentOptions& options) {
  const auto& maps = skeleton.maps;
  for (const MapSize& size :
       {MapSize{maps.rg_targets, options.max_targets}, MapSize{maps.rg_functions, options.max_functions},
        MapSize{maps.rg_function_figures, options.max_functions}, MapSize{maps.rg_calls, options.max_calls_in_flight},
        MapSize{maps.rg_locks, options.max_locks}, MapSize{maps.rg_waits, options.max_waits},
        MapSize{maps.rg_ring, options.ring_bytes}}) {
    if (const int error = bpf_map__set_max_entries(size.map, size.entries); error != 0) {
      return Error::from_errno(ErrorCode::kKernelOpen,
                               fmt::format("cannot size BPF map {} to {}", bpf_map__name(size.map), size.entries),
                               -error);
    }
  }
  return std::nullopt;
}

struct FutexPrograms {
  FutexHook hook;
  bpf_program* enter;
  bpf_program* exit;
};

std::array<FutexPrograms, 3> futex_programs(const raceguard_bpf& skeleton) {
  const auto& programs = skeleton.progs;
  return {{{FutexHook::kFunction, programs.rg_enter_function, programs.rg_exit_function},
           {FutexHook::kTracepoint, programs.rg_enter_futex, programs.rg_exit_futex},
           {FutexHook::kRawTracepoint, programs.rg_enter_any, programs.rg_exit_any}}};
}

bool choose_uprobe_way(const raceguard_bpf& skeleton, UprobeWay way, bool session) {
  const auto& programs = skeleton.progs;
  bpf_program__set_autoload(programs.rg_function_session, session);
  if (session && !prepare_uprobe(programs.rg_function_session, UprobeWay::kSession)) {
    return false;
  }
  return prepare_uprobe(programs.rg_function_entry, way) && prepare_uprobe(programs.rg_function_return, way) &&
         prepare_uprobe(programs.rg_function_ret, way) && prepare_uprobe(programs.rg_marker, way);
}

using Skeleton = std::unique_ptr<raceguard_bpf, SkeletonDeleter>;

Result<Skeleton> open_skeleton(const AttachmentOptions& options) {
  const LibbpfLog log;
  Skeleton skeleton(raceguard_bpf__open());
  if (!skeleton) {
    return fail_errno(ErrorCode::kKernelOpen, fmt::format("cannot open the BPF object: {}", log.tail(kVerifierLines)),
                      errno);
  }
  if (skeleton->rodata->rg_abi_version != RG_BPF_ABI_VERSION) {
    return fail(ErrorCode::kKernelAbi,
                fmt::format("BPF object has ABI version {}, the daemon {}",
                            static_cast<unsigned>(skeleton->rodata->rg_abi_version), RG_BPF_ABI_VERSION),
                "Build both from one source tree");
  }
  skeleton->rodata->rg_sample_interval_ns =
      options.stack_samples_per_second == 0
          ? 0
          : static_cast<std::uint64_t>(kNsPerSecond) / options.stack_samples_per_second;
  if (auto error = size_maps(*skeleton, options)) {
    return fail(std::move(*error));
  }
  return skeleton;
}

std::optional<Error> load(raceguard_bpf& skeleton) {
  const LibbpfLog log;
  const int error = raceguard_bpf__load(&skeleton);
  if (error == 0) {
    return std::nullopt;
  }
  // Without the right the verifier says nothing, and libbpf guesses.
  const bool denied = error == -EPERM;
  return kernel_error(
      Request::kLoad,
      denied ? "cannot load the BPF object" : fmt::format("cannot load the BPF object: {}", log.tail(kVerifierLines)),
      -error);
}

Result<Link> attach_by_btf(bpf_program* program) {
  const LibbpfLog log;
  Link link(bpf_program__attach(program));
  if (!link) {
    return fail(kernel_error(Request::kTracepoint,
                             fmt::format("cannot attach BPF program {}", bpf_program__name(program)), errno));
  }
  return link;
}

Result<Link> attach_futex_program(bpf_program* program, FutexHook hook, const TraceFs* tracefs,
                                  const char* tracepoint) {
  if (hook != FutexHook::kTracepoint) {
    return attach_by_btf(program);
  }
  return attach_tracepoint(program, *tracefs, "syscalls", tracepoint);
}

// Before futex calls: from the first one on, an exit must be seen.
Result<void> attach_task_life(BpfObject& object) {
  const auto& programs = object.skeleton->progs;
  for (bpf_program* program : {programs.rg_process_exit, programs.rg_process_exec, programs.rg_process_fork}) {
    auto link = attach_by_btf(program);
    if (!link) {
      return fail(std::move(link).error());
    }
    object.links.push_back(std::move(*link));
  }
  return {};
}

// Empty: the hook needs none.
Result<std::optional<TraceFs>> tracefs_for(FutexHook hook) {
  if (hook != FutexHook::kTracepoint) {
    return std::optional<TraceFs>();
  }
  auto opened = TraceFs::open();
  if (!opened) {
    return fail(std::move(opened).error());
  }
  return std::optional(std::move(*opened));
}

Result<void> attach_futex_now(BpfObject& object) {
  const auto programs = futex_programs(*object.skeleton);
  const FutexPrograms& pair = *std::find_if(programs.begin(), programs.end(),
                                            [&](const FutexPrograms& each) { return each.hook == object.futex_hook; });
  const TraceFs* tracefs = object.tracefs ? &*object.tracefs : nullptr;
  // Exit before entry, so that no wait begins whose end is missed.
  auto exit = attach_futex_program(pair.exit, pair.hook, tracefs, "sys_exit_futex");
  if (!exit) {
    return fail(std::move(exit).error());
  }
  auto enter = attach_futex_program(pair.enter, pair.hook, tracefs, "sys_enter_futex");
  if (!enter) {
    return fail(std::move(enter).error());
  }
  object.futex_links.push_back(std::move(*exit));
  object.futex_links.push_back(std::move(*enter));
  return {};
}

// One try with one way to see futex calls.
Result<BpfObject> load_with(const AttachmentOptions& options, FutexHook hook, UprobeWay way, bool session) {
  BpfObject object;
  object.futex_hook = hook;
  object.uprobe_way = way;
  object.uprobe_session = session;
  auto skeleton = open_skeleton(options);
  if (!skeleton) {
    return fail(std::move(skeleton).error());
  }
  object.skeleton = std::move(*skeleton);
  for (const FutexPrograms& pair : futex_programs(*object.skeleton)) {
    bpf_program__set_autoload(pair.enter, pair.hook == hook);
    bpf_program__set_autoload(pair.exit, pair.hook == hook);
  }
  if (!choose_uprobe_way(*object.skeleton, way, session)) {
    return fail(ErrorCode::kInternal, "cannot set the attach type of the uprobe programs");
  }
  auto tracefs = tracefs_for(hook);  // before the costly part
  if (!tracefs) {
    return fail(tracefs.error());
  }
  object.tracefs = std::move(*tracefs);
  if (auto error = load(*object.skeleton)) {
    return fail(std::move(*error));
  }
  if (auto attached = attach_task_life(object).and_then([&] { return attach_futex_now(object); }); !attached) {
    return fail(std::move(attached).error());
  }
  return object;
}

}  // namespace

Result<void> attach_futex(BpfObject& object) {
  if (!object.futex_links.empty()) {
    return {};
  }
  return attach_futex_now(object);
}

void SkeletonDeleter::operator()(raceguard_bpf* skeleton) const { raceguard_bpf__destroy(skeleton); }

Result<BpfObject> load_bpf_object(const AttachmentOptions& options) {
  const UprobeWay way =
      options.allow_uprobe_multi && kernel_has_uprobe_multi() ? UprobeWay::kMulti : UprobeWay::kPerfEvent;
  const bool session = way == UprobeWay::kMulti && options.allow_uprobe_session && kernel_has_uprobe_session();
  std::optional<Error> error;  // of the last way, which asks least of the kernel
  for (const FutexHook hook : {FutexHook::kFunction, FutexHook::kTracepoint, FutexHook::kRawTracepoint}) {
    if (hook < options.first_futex_hook) {
      continue;
    }
    auto object = load_with(options, hook, way, session);
    if (object) {
      return object;
    }
    error = std::move(object).error();
  }
  return fail(std::move(*error));
}

}  // namespace raceguard::kernel
