// SPDX-License-Identifier: Apache-2.0
// The owner of the loaded BPF object.
#pragma once

#include <memory>

#include "daemon/kernel/attachment.h"
#include "daemon/kernel/tracepoint.h"
#include "daemon/kernel/uprobe.h"
#include "raceguard/error.h"

struct raceguard_bpf;

namespace raceguard::kernel {

struct SkeletonDeleter {
  void operator()(raceguard_bpf* skeleton) const;
};

struct BpfObject {
  std::unique_ptr<raceguard_bpf, SkeletonDeleter> skeleton;
  UprobeWay uprobe_way = UprobeWay::kMulti;
  std::vector<Link> links;  // task life and futex; after the skeleton, so that they go first
  FutexHook futex_hook = FutexHook::kFunction;
};

// Opens, checks the ABI, sizes the maps, loads, attaches task life and futex tracepoints.
Result<BpfObject> load_bpf_object(const AttachmentOptions& options);

}  // namespace raceguard::kernel
