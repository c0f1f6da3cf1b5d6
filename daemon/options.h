// SPDX-License-Identifier: Apache-2.0
// raceguardd's command line.
#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

namespace raceguard::app {

struct Options {
  std::vector<std::filesystem::path> config;  // files and drop-in directories, in order
  bool check_only = false;                    // --check: decode, look at running targets, exit
  bool single_perf_events = false;            // --no-uprobe-multi: as on kernels that lack it
  bool keep_capabilities = false;             // --keep-capabilities: do not drop rights after start
  std::string log_level = "info";
};

// The exit status when the command line already settled the run: 0 after --help or --version, 2 after a mistake.
struct ExitNow {
  int status = 0;
};

std::variant<Options, ExitNow> parse_options(int argc, char** argv);

}  // namespace raceguard::app
