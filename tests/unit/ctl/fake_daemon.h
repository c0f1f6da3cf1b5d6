// SPDX-License-Identifier: Apache-2.0
// A daemon that is only its control socket and a made-up state, on a loop in a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "daemon/export/control_server.h"

namespace raceguard::ctl {

class FakeDaemon {
 public:
  // Serves tests/unit/export/sample_snapshot.h on RUN_DIRECTORY/control.sock; "force", "release", "reload" answer
  // with a decision made of the request, for the switch "recommend".
  explicit FakeDaemon(const std::string& run_directory);
  // With the hash of the last evidence line that the daemon claims to have written.
  FakeDaemon(const std::string& run_directory, const std::string& evidence_last_hash);
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::ctl
