// SPDX-License-Identifier: Apache-2.0
// The daemon's log on stderr.
#pragma once

#include <string>

namespace raceguard::app {

// Makes a logger of `level` (debug, info, warn, error) the default one. Where stderr is the journal, each line begins
// with its priority as sd-daemon(3) has it, and has no time, which the journal adds.
void set_up_log(const std::string& level);

}  // namespace raceguard::app
