// SPDX-License-Identifier: Apache-2.0
// Shares as the governor's reasons write them.
#pragma once

#include <string>

#include <fmt/format.h>

namespace raceguard::breaker {

[[nodiscard]] inline std::string percent(double ratio) { return fmt::format("{:.3g} %", 100 * ratio); }

}  // namespace raceguard::breaker
