// SPDX-License-Identifier: Apache-2.0
// The owner of the loaded race object.
#pragma once

#include <memory>

#include "raceguard/error.h"

struct race_bpf;

namespace raceguard::kernel {

struct WatcherOptions;

struct RaceObjectDeleter {
  void operator()(race_bpf* object) const;
};
using RaceObject = std::unique_ptr<race_bpf, RaceObjectDeleter>;

Result<RaceObject> load_race_object(const WatcherOptions& options);

}  // namespace raceguard::kernel
