// SPDX-License-Identifier: Apache-2.0
// raceguardctl's command line, made from ctl/commands.h.
#pragma once

namespace raceguard::ctl {

// Parses, runs the command, returns the exit status: 0, 1 (failed), 2 (wrong usage).
int run_command_line(int argc, char** argv);

}  // namespace raceguard::ctl
