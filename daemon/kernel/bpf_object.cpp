// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/bpf_object.h"

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

void choose_programs(const raceguard_bpf& skeleton, bool tracefs) {
  const auto& programs = skeleton.progs;
  bpf_program__set_autoload(programs.rg_enter_futex, tracefs);
  bpf_program__set_autoload(programs.rg_exit_futex, tracefs);
  bpf_program__set_autoload(programs.rg_enter_any, !tracefs);
  bpf_program__set_autoload(programs.rg_exit_any, !tracefs);
}

bool choose_uprobe_way(const raceguard_bpf& skeleton, UprobeWay way) {
  const auto& programs = skeleton.progs;
  return prepare_uprobe(programs.rg_function_entry, way) && prepare_uprobe(programs.rg_function_return, way) &&
         prepare_uprobe(programs.rg_marker, way);
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

Result<std::vector<Link>> attach_always_on(const raceguard_bpf& skeleton, const TraceFs* tracefs) {
  const auto& programs = skeleton.progs;
  std::vector<Link> links;
  const auto keep = [&links](Result<Link> link) -> std::optional<Error> {
    if (!link) {
      return std::move(link).error();
    }
    links.push_back(std::move(*link));
    return std::nullopt;
  };
  // Task life first: from the first futex event on, an exit must be seen. Exit of futex before its entry, so that no
  // wait begins whose end is missed.
  for (bpf_program* program : {programs.rg_process_exit, programs.rg_process_exec, programs.rg_process_fork}) {
    if (auto error = keep(attach_by_btf(program))) {
      return fail(std::move(*error));
    }
  }
  if (tracefs == nullptr) {
    for (bpf_program* program : {programs.rg_exit_any, programs.rg_enter_any}) {
      if (auto error = keep(attach_by_btf(program))) {
        return fail(std::move(*error));
      }
    }
    return links;
  }
  if (auto error = keep(attach_tracepoint(programs.rg_exit_futex, *tracefs, "syscalls", "sys_exit_futex"))) {
    return fail(std::move(*error));
  }
  if (auto error = keep(attach_tracepoint(programs.rg_enter_futex, *tracefs, "syscalls", "sys_enter_futex"))) {
    return fail(std::move(*error));
  }
  return links;
}

}  // namespace

void SkeletonDeleter::operator()(raceguard_bpf* skeleton) const { raceguard_bpf__destroy(skeleton); }

Result<BpfObject> load_bpf_object(const AttachmentOptions& options) {
  BpfObject object;
  {
    const LibbpfLog log;
    object.skeleton.reset(raceguard_bpf__open());
    if (!object.skeleton) {
      return fail_errno(ErrorCode::kKernelOpen, fmt::format("cannot open the BPF object: {}", log.tail(kVerifierLines)),
                        errno);
    }
  }
  raceguard_bpf& skeleton = *object.skeleton;
  if (skeleton.rodata->rg_abi_version != RG_BPF_ABI_VERSION) {
    return fail(ErrorCode::kKernelAbi,
                fmt::format("BPF object has ABI version {}, the daemon {}",
                            static_cast<unsigned>(skeleton.rodata->rg_abi_version), RG_BPF_ABI_VERSION),
                "Build both from one source tree");
  }
  skeleton.rodata->rg_sample_interval_ns =
      options.stack_samples_per_second == 0
          ? 0
          : static_cast<std::uint64_t>(kNsPerSecond) / options.stack_samples_per_second;
  if (auto error = size_maps(skeleton, options)) {
    return fail(std::move(*error));
  }
  auto tracefs = TraceFs::open();
  object.uses_tracefs = options.allow_tracefs && tracefs.has_value();
  choose_programs(skeleton, object.uses_tracefs);
  object.uprobe_way =
      options.allow_uprobe_multi && kernel_has_uprobe_multi() ? UprobeWay::kMulti : UprobeWay::kPerfEvent;
  if (!choose_uprobe_way(skeleton, object.uprobe_way)) {
    return fail(ErrorCode::kInternal, "cannot set the attach type of the uprobe programs");
  }
  {
    const LibbpfLog log;
    if (const int error = raceguard_bpf__load(&skeleton); error != 0) {
      return fail(kernel_error(Request::kLoad, fmt::format("cannot load the BPF object: {}", log.tail(kVerifierLines)),
                               -error));
    }
  }
  auto links = attach_always_on(skeleton, object.uses_tracefs ? &*tracefs : nullptr);
  if (!links) {
    return fail(std::move(links).error());
  }
  object.links = std::move(*links);
  return object;
}

}  // namespace raceguard::kernel
