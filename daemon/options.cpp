// SPDX-License-Identifier: Apache-2.0
#include "daemon/options.h"

#include <CLI/CLI.hpp>

#include "daemon/version.h"

namespace raceguard::app {

std::variant<Options, ExitNow> parse_options(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Guards running services against races: watches lock contention and guarded functions with BPF, and flips\n"
      "degradation switches when thresholds are crossed. Runs in the foreground; systemd starts it with Type=notify.");
  app.add_option("-c,--config", options.config, "configuration file or drop-in directory of *.yaml; may be given again")
      ->default_val(std::vector<std::filesystem::path>{"/etc/raceguard/raceguard.yaml", "/etc/raceguard/policies.d"})
      ->type_name("PATH");
  app.add_flag("--check", options.check_only,
               "check the configuration against the running processes and exit (0: valid)");
  app.add_flag("--no-uprobe-multi", options.single_perf_events,
               "attach by single perf events, as on kernels before 6.6");
  app.add_flag("--keep-capabilities", options.keep_capabilities, "keep rights that are needed at start only");
  app.add_option("--log-level", options.log_level, "what is logged to stderr")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("raceguardd ") + kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return ExitNow{status == 0 ? 0 : 2};
  }
  return options;
}

}  // namespace raceguard::app
