// SPDX-License-Identifier: Apache-2.0
// Lock bursts as JSON: in status, and as a view of their own.
#pragma once

#include <cstddef>

#include <nlohmann/json_fwd.hpp>

namespace raceguard::exporting {

struct BurstView;
struct Snapshot;

[[nodiscard]] nlohmann::json bursts_json(const BurstView& bursts);
// What `raceguardctl locks --advise` says of each process that has bursts; of each at most `limit` locks.
[[nodiscard]] nlohmann::json advice_json(const Snapshot& snapshot, std::size_t limit);

}  // namespace raceguard::exporting
