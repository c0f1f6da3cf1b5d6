// SPDX-License-Identifier: Apache-2.0
// raceguardd: 0 after a clean end or a valid --check, 1 if it could not run, 2 for a wrong command line or policy.
#include <variant>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

#include "daemon/check_policy.h"
#include "daemon/journal_log.h"
#include "daemon/options.h"
#include "daemon/policy/load.h"
#include "daemon/startup.h"

int main(int argc, char** argv) {
  using namespace raceguard;
  auto parsed = app::parse_options(argc, argv);
  if (const auto* now = std::get_if<app::ExitNow>(&parsed)) {
    return now->status;
  }
  const auto& options = std::get<app::Options>(parsed);
  app::set_up_log(options.log_level);

  auto policy = policy::load_policy(options.config);
  if (!policy) {
    fmt::print(stderr, "{}", policy.error().to_string());  // a line each
    return 2;
  }
  if (options.check_only) {
    return app::check_policy(*policy);
  }
  if (const auto ran = app::run_daemon(options, std::move(*policy)); !ran) {
    spdlog::error("{}", ran.error().to_string());
    return 1;
  }
  return 0;
}
