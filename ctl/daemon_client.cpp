// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon_client.h"

#include <cerrno>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "daemon/export/client/control_client.h"

namespace raceguard::ctl {

Result<nlohmann::json> ask_daemon(const Invocation& invocation, const std::string& method,
                                  const nlohmann::json& params) {
  auto client = exporting::ControlClient::connect(invocation.socket_path());
  if (!client) {
    return fail(std::move(client.error()));
  }
  return client->call(method, params);
}

int put(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return report(Error::from_errno(ErrorCode::kInternal, "cannot write to the standard output", errno));
  }
  return kOk;
}

int put(const nlohmann::json& document) {
  return put(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace raceguard::ctl
