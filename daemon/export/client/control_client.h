// SPDX-License-Identifier: Apache-2.0
// The control socket seen from raceguardctl: one JSON line out, one JSON line back (docs/api.md). Depends on nothing of
// the daemon.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::exporting {

class ControlClient {
 public:
  // Errors: kDaemonUnreachable, with the remedy that fits the errno (no daemon, no right, wrong path).
  [[nodiscard]] static Result<ControlClient> connect(const std::string& path);

  // Errors: those of the daemon as it sent them; kDaemonUnreachable if it went away, kControlRequest if the answer is
  // not understood or not there within `timeout`. After a failure that the daemon did not send, the connection is of no
  // use.
  [[nodiscard]] Result<nlohmann::json> call(const std::string& method, const nlohmann::json& params,
                                            std::chrono::milliseconds timeout = std::chrono::seconds(5));

 private:
  ControlClient(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<void> send_line(const std::string& line, std::chrono::steady_clock::time_point deadline);
  Result<std::string> receive_line(std::chrono::steady_clock::time_point deadline);
  Result<void> wait_for(short events, std::chrono::steady_clock::time_point deadline) const;

  UniqueFd fd_;
  std::string path_;
  std::string received_;
};

}  // namespace raceguard::exporting
