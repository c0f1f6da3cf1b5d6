// SPDX-License-Identifier: Apache-2.0
// The control socket: a unix stream socket, one JSON request a line, one JSON answer a line (docs/api.md). It lives on
// the daemon's sd_event loop and has no thread; every socket is non-blocking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/export/peer.h"
#include "daemon/export/snapshot_source.h"
#include "raceguard/error.h"

using sd_event = struct sd_event;

namespace raceguard::exporting {

// Methods that act: "force", "release", "reload", "suppress". Called on the loop.
using ControlHandler =
    std::function<Result<nlohmann::json>(const std::string& method, const nlohmann::json& params, const Peer& peer)>;

struct ControlOptions {
  std::string path;                 // run_directory + "/control.sock"
  std::string group = "raceguard";  // may use the socket beside root, if it exists
  std::size_t clients_max = 32;
  std::size_t line_max_bytes = 64U << 10U;
  std::int64_t client_timeout_ns =
      30'000'000'000;                 // since a client's last whole exchange; a dripping one is closed too
  std::function<void()> before_view;  // on the loop, before a view is made of the source's snapshot: may publish one
};

class ControlServer {
 public:
  // Binds, sets mode 0660 and the group, then moves the socket to its path: nobody sees it with other rights. A stale
  // socket file is replaced; one that a living daemon answers on is kAlreadyRunning. `source` must outlive the server.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> create(sd_event* loop, ControlOptions options,
                                                                     const SnapshotSource& source,
                                                                     ControlHandler handler);
  virtual ~ControlServer() = default;
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  [[nodiscard]] virtual std::size_t client_count() const = 0;

 protected:
  ControlServer() = default;
};

}  // namespace raceguard::exporting
