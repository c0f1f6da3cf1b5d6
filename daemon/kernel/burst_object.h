// SPDX-License-Identifier: Apache-2.0
// The owner of the loaded burst object.
#pragma once

#include <memory>

#include "raceguard/error.h"

struct burst_bpf;

namespace raceguard::kernel {

struct LockProbesOptions;

struct BurstObjectDeleter {
  void operator()(burst_bpf* object) const;
};

struct BurstObject {
  std::unique_ptr<burst_bpf, BurstObjectDeleter> skeleton;
  bool session = false;  // one program sees a lock function's entry and, where it must, its return
};

Result<BurstObject> load_burst_object(const LockProbesOptions& options);

}  // namespace raceguard::kernel
