// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/burst_object.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "daemon/kernel/lock_probes.h"
#include "daemon/kernel/uprobe_set.h"
// after the types of its variables
#include "burst.skel.h"

namespace raceguard::kernel {
namespace {

constexpr std::size_t kVerifierLines = 6;

Result<void> size_maps(const burst_bpf& object, const LockProbesOptions& options) {
  const auto& maps = object.maps;
  for (const auto& [map, entries] :
       {std::pair{maps.rg_burst_threads, options.max_threads}, std::pair{maps.rg_burst_locks, options.max_locks},
        std::pair{maps.rg_burst_sites, options.max_sites}, std::pair{maps.rg_burst_edges, options.max_orders},
        std::pair{maps.rg_burst_ring, options.ring_bytes}}) {
    if (const int error = bpf_map__set_max_entries(map, entries); error != 0) {
      return fail_errno(ErrorCode::kKernelOpen,
                        fmt::format("cannot size BPF map {} to {}", bpf_map__name(map), entries), -error);
    }
  }
  return {};
}

bool choose_programs(const burst_bpf& object, bool session) {
  const auto& programs = object.progs;
  bpf_program__set_autoload(programs.rg_lock_session, session);
  bpf_program__set_autoload(programs.rg_lock_entry, !session);
  bpf_program__set_autoload(programs.rg_lock_return, !session);
  const auto expect = [](bpf_program* program, int type) {
    return bpf_program__set_expected_attach_type(program, static_cast<bpf_attach_type>(type)) == 0;
  };
  return expect(programs.rg_lock_session, kUprobeSession) && expect(programs.rg_lock_entry, BPF_TRACE_UPROBE_MULTI) &&
         expect(programs.rg_lock_return, BPF_TRACE_UPROBE_MULTI) && expect(programs.rg_unlock, BPF_TRACE_UPROBE_MULTI);
}

Result<BurstObject> load(const LockProbesOptions& options, bool session) {
  const LibbpfLog log;
  BurstObject object;
  object.session = session;
  object.skeleton.reset(burst_bpf__open());
  if (!object.skeleton) {
    return fail_errno(ErrorCode::kKernelOpen,
                      fmt::format("cannot open the burst BPF object: {}", log.tail(kVerifierLines)), errno);
  }
  if (object.skeleton->rodata->rg_burst_abi_version != RG_BURST_ABI_VERSION) {
    return fail(ErrorCode::kKernelAbi,
                fmt::format("burst BPF object has ABI version {}, this program {}",
                            static_cast<unsigned>(object.skeleton->rodata->rg_burst_abi_version), RG_BURST_ABI_VERSION),
                "Build both from one source tree");
  }
  if (auto sized = size_maps(*object.skeleton, options); !sized) {
    return fail(std::move(sized).error());
  }
  if (!choose_programs(*object.skeleton, session)) {
    return fail(ErrorCode::kInternal, "cannot set the attach type of the burst programs");
  }
  if (const int error = burst_bpf__load(object.skeleton.get()); error != 0) {
    const bool denied = error == -EPERM;  // the verifier says nothing then, and libbpf guesses
    return fail(kernel_error(Request::kLoad,
                             denied ? "cannot load the burst BPF object"
                                    : fmt::format("cannot load the burst BPF object: {}", log.tail(kVerifierLines)),
                             -error));
  }
  return object;
}

}  // namespace

void BurstObjectDeleter::operator()(burst_bpf* object) const { burst_bpf__destroy(object); }

Result<BurstObject> load_burst_object(const LockProbesOptions& options) {
  if (options.allow_session) {
    if (auto object = load(options, true)) {
      return object;
    }
  }
  return load(options, false);
}

}  // namespace raceguard::kernel
