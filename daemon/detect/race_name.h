// SPDX-License-Identifier: Apache-2.0
// What a data race is called: the same name for the same variable, sites and evidence, in every process and every run
// of a build.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/detect/race_finding.h"

namespace raceguard::detect {

// FNV-1a of the variable (its name where that stands for one address) and of both sites in any order. Addresses of the
// process, threads, verdict and counts do not matter.
[[nodiscard]] std::uint64_t race_hash(const RaceFinding& finding);

// The hash's first 12 hexadecimal digits: people type them.
[[nodiscard]] std::string race_id(const RaceFinding& finding);
[[nodiscard]] std::string race_id(std::uint64_t hash);

// "proven data race on shop::total: update in count() at shop.cpp:7, read in serve() at shop.cpp:20"
[[nodiscard]] std::string race_sentence(const RaceFinding& finding);

}  // namespace raceguard::detect
