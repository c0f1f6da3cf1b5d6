// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/race_object.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "daemon/kernel/watcher.h"
#include "race.skel.h"

namespace raceguard::kernel {
namespace {

constexpr std::size_t kVerifierLines = 6;

}  // namespace

void RaceObjectDeleter::operator()(race_bpf* object) const { race_bpf__destroy(object); }

Result<RaceObject> load_race_object(const WatcherOptions& options) {
  const LibbpfLog log;
  RaceObject object(race_bpf__open());
  if (!object) {
    return fail_errno(ErrorCode::kKernelOpen,
                      fmt::format("cannot open the race BPF object: {}", log.tail(kVerifierLines)), errno);
  }
  if (object->rodata->rg_race_abi_version != RG_RACE_ABI_VERSION) {
    return fail(ErrorCode::kKernelAbi,
                fmt::format("race BPF object has ABI version {}, the daemon {}",
                            static_cast<unsigned>(object->rodata->rg_race_abi_version), RG_RACE_ABI_VERSION),
                "Build both from one source tree");
  }
  const auto& maps = object->maps;
  for (const auto& [map, entries] :
       {std::pair{maps.rg_access_ring, options.ring_bytes}, std::pair{maps.rg_access_sites, options.max_sites},
        std::pair{maps.rg_access_modes, options.max_sites}, std::pair{maps.rg_access_pairs, options.max_sites}}) {
    if (const int error = bpf_map__set_max_entries(map, entries); error != 0) {
      return fail_errno(ErrorCode::kKernelOpen,
                        fmt::format("cannot size BPF map {} to {}", bpf_map__name(map), entries), -error);
    }
  }
  if (const int error = race_bpf__load(object.get()); error != 0) {
    const bool denied = error == -EPERM;  // the verifier says nothing then, and libbpf guesses
    return fail(kernel_error(Request::kLoad,
                             denied ? "cannot load the race BPF object"
                                    : fmt::format("cannot load the race BPF object: {}", log.tail(kVerifierLines)),
                             -error));
  }
  return object;
}

}  // namespace raceguard::kernel
