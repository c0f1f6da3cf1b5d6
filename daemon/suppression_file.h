// SPDX-License-Identifier: Apache-2.0
// Adds to a file of suppressions (daemon/detect/suppressions.h).
#pragma once

#include <string>

#include "raceguard/error.h"

namespace raceguard::app {

// A comment and the line, at the file's end, in one write, synced; makes the file (0644) if there is none.
// kSuppressionFile.
[[nodiscard]] Result<void> append_suppression(const std::string& path, const std::string& comment,
                                              const std::string& line);

}  // namespace raceguard::app
