// SPDX-License-Identifier: Apache-2.0
// The owner of the loaded BPF object.
#pragma once

#include <memory>
#include <optional>
#include <vector>

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
  bool uprobe_session = false;     // functions have one link for entry and return
  std::vector<Link> links;         // task life; after the skeleton, so that they go first
  std::vector<Link> futex_links;   // the same; none: futex calls are not seen now
  std::optional<TraceFs> tracefs;  // if the hook needs it: rights that mount it may be given up before the next time
  FutexHook futex_hook = FutexHook::kFunction;
};

// Opens, checks the ABI, sizes the maps, loads, attaches task life and futex tracepoints.
Result<BpfObject> load_bpf_object(const AttachmentOptions& options);
// In the way that it was loaded for; nothing to do if they are attached.
[[nodiscard]] Result<void> attach_futex(BpfObject& object);

}  // namespace raceguard::kernel
