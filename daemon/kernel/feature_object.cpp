// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/feature_object.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "features.skel.h"

namespace raceguard::kernel {

void FeatureObjectDeleter::operator()(features_bpf* object) const { features_bpf__destroy(object); }

Result<FeatureObject> load_features(std::span<const std::string> programs,
                                    const std::function<void(features_bpf&)>& prepare) {
  const LibbpfLog log;
  FeatureObject object(features_bpf__open());
  if (!object) {
    return fail_errno(ErrorCode::kKernelOpen, "cannot open the BPF object for feature tests", errno);
  }
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object->obj, program)) != nullptr) {
    bpf_program__set_autoload(
        program, std::find(programs.begin(), programs.end(), bpf_program__name(program)) != programs.end());
  }
  if (prepare) {
    prepare(*object);
  }
  if (const int status = features_bpf__load(object.get()); status != 0) {
    return fail(
        kernel_error(Request::kLoad, fmt::format("cannot load BPF program {}", fmt::join(programs, ", ")), -status));
  }
  return object;
}

}  // namespace raceguard::kernel
