// SPDX-License-Identifier: Apache-2.0
// The keys of a policy's `bursts`: short looks at all lock calls.
#include <array>

#include "daemon/policy/key.h"

namespace raceguard::policy {
namespace {

constexpr double kSecond = 1e9;
constexpr double kDay = 24 * 3600e9;

constexpr std::array kBurstKeys = {
    Key{.name = "enabled",
        .kind = Kind::kFlag,
        .help =
            "Look at all lock and unlock calls of each target for some milliseconds now and then (docs/locks.md). It "
            "puts probes on the C library's lock functions, for that process alone and for that time.",
        .fallback = "false",
        .store = store<&BurstGuard::enabled>},
    Key{.name = "budget",
        .kind = Kind::kRatio,
        .help = "What bursts may take of a target's CPU time, on average: the dearer one was, the later the next one.",
        .fallback = "1%",
        .minimum = 0.0001,
        .maximum = 0.5,
        .store = store<&BurstGuard::budget>},
    Key{.name = "interval",
        .kind = Kind::kDuration,
        .help = "From a burst of a process to its next one at least.",
        .fallback = "10s",
        .minimum = kSecond,
        .maximum = kDay,
        .store = store<&BurstGuard::interval_ns>},
};

}  // namespace

constinit const Mapping kBurstsMapping{"bursts", kBurstKeys};

}  // namespace raceguard::policy
