// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/percpu_layout.h"

#include <bpf/btf.h>

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/kernel/libbpf_log.h"

namespace raceguard::kernel {
namespace {

constexpr const char* kSection = ".data..percpu";

struct BtfDeleter {
  void operator()(btf* types) const { btf__free(types); }
};

std::span<const btf_var_secinfo> percpu_variables(const btf& types) {
  const auto id = btf__find_by_name_kind(&types, kSection, BTF_KIND_DATASEC);
  if (id <= 0) {
    return {};
  }
  const btf_type* section = btf__type_by_id(&types, static_cast<__u32>(id));
  return {btf_var_secinfos(section), btf_vlen(section)};
}

std::optional<std::int64_t> offset_of(const btf& types, std::string_view name) {
  for (const btf_var_secinfo& each : percpu_variables(types)) {
    const btf_type* variable = btf__type_by_id(&types, each.type);
    if (variable != nullptr && name == btf__name_by_offset(&types, variable->name_off)) {
      return each.offset;
    }
  }
  return std::nullopt;
}

}  // namespace

PercpuDistances read_percpu_distances() {
  const LibbpfLog quiet;
  const std::unique_ptr<btf, BtfDeleter> types(btf__load_vmlinux_btf());
  if (!types) {
    return {};
  }
  const auto runqueues = offset_of(*types, "runqueues");
  if (!runqueues) {
    return {};
  }
  PercpuDistances distances;
  distances.tick = offset_of(*types, "tick_cpu_sched").value_or(*runqueues) - *runqueues;
  distances.preempt = offset_of(*types, "__preempt_count").value_or(*runqueues) - *runqueues;
  return distances;
}

}  // namespace raceguard::kernel
