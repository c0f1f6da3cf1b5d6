// SPDX-License-Identifier: Apache-2.0
// The owner of the object with the programs that do nothing, with only some of them loaded.
#pragma once

#include <bpf/libbpf.h>

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "raceguard/error.h"

struct features_bpf;

namespace raceguard::kernel {

struct FeatureObjectDeleter {
  void operator()(features_bpf* object) const;
};
using FeatureObject = std::unique_ptr<features_bpf, FeatureObjectDeleter>;

// Loads these programs only. `prepare` runs before the load (attach types); may be empty.
Result<FeatureObject> load_features(std::span<const std::string> programs,
                                    const std::function<void(features_bpf&)>& prepare = {});

}  // namespace raceguard::kernel
