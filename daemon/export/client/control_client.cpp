// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/client/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"

namespace raceguard::exporting {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

// The dearest answer is the list of all locks with their stacks; a daemon that sends more is not ours.
constexpr std::size_t kAnswerMaxBytes = 64U << 20U;

std::string connect_remedy(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ECONNREFUSED:
      return "Is raceguardd running? See 'systemctl status raceguard', or name its run directory with --run-directory";
    case EACCES:
    case EPERM:
      return "Run this as root or as a member of the daemon's control group (default: raceguard)";
    case EAGAIN:
      return "The daemon does not take connections: see its journal";
    default:
      return "See 'systemctl status raceguard'";
  }
}

}  // namespace

Result<ControlClient> ControlClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorCode::kDaemonUnreachable,
                fmt::format("cannot connect to control socket '{}': the path must have 1 to {} bytes", path,
                            sizeof(address.sun_path) - 1),
                "Name a shorter directory with --run-directory");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return fail_errno(ErrorCode::kDaemonUnreachable, "cannot create a unix socket", errno);
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    return fail_errno(ErrorCode::kDaemonUnreachable, fmt::format("cannot connect to control socket {}", path), error,
                      connect_remedy(error));
  }
  return ControlClient(std::move(fd), path);
}

Result<nlohmann::json> ControlClient::call(const std::string& method, const nlohmann::json& params,
                                           std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  const std::string request = to_line({{"method", method}, {"params", params}}) + "\n";
  // A daemon that refuses may answer and close before the request is out: read its answer before giving up.
  const Result<void> sent = send_line(request, deadline);
  Result<std::string> line = receive_line(deadline);
  if (!line) {
    return fail(sent ? line.error() : sent.error());
  }
  nlohmann::json answer = nlohmann::json::parse(*line, nullptr, false);
  if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean()) {
    return fail(ErrorCode::kControlRequest, fmt::format("answer to '{}' from {} is not understood", method, path_),
                "Is this the socket of a raceguardd of the same version?");
  }
  if (!answer["ok"].get<bool>()) {
    return fail(error_from_json(answer["error"]));
  }
  return std::move(answer["result"]);
}

Result<void> ControlClient::wait_for(short events, Deadline deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd entry{.fd = fd_.get(), .events = events, .revents = 0};
    const int count = ::poll(&entry, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000)));
    if (count > 0) {
      return {};
    }
    if (count == 0) {
      return fail(ErrorCode::kControlRequest, fmt::format("no answer from {} in time", path_),
                  "The daemon is busy or hangs: see its journal");
    }
    if (errno != EINTR) {
      return fail_errno(ErrorCode::kDaemonUnreachable, fmt::format("cannot wait for {}", path_), errno);
    }
  }
}

Result<void> ControlClient::send_line(const std::string& line, Deadline deadline) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t count = ::send(fd_.get(), line.data() + done, line.size() - done, MSG_NOSIGNAL);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLOUT, deadline); !ready) {
        return ready;
      }
    } else if (errno != EINTR) {
      return fail_errno(ErrorCode::kDaemonUnreachable, fmt::format("cannot send to {}", path_), errno,
                        "The daemon closed the connection: see its journal");
    }
  }
  return {};
}

Result<std::string> ControlClient::receive_line(Deadline deadline) {
  std::array<char, 16384> chunk{};
  std::size_t searched = 0;
  for (;;) {
    if (const std::size_t end = received_.find('\n', searched); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    searched = received_.size();
    if (searched > kAnswerMaxBytes) {
      return fail(ErrorCode::kControlRequest, fmt::format("answer from {} is longer than 64 MiB", path_));
    }
    const ssize_t count = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
    if (count > 0) {
      received_.append(chunk.data(), static_cast<std::size_t>(count));
    } else if (count == 0) {
      return fail(ErrorCode::kDaemonUnreachable, fmt::format("the daemon closed {} without an answer", path_),
                  "See 'systemctl status raceguard' and its journal");
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLIN, deadline); !ready) {
        return fail(ready.error());
      }
    } else if (errno != EINTR) {
      return fail_errno(ErrorCode::kDaemonUnreachable, fmt::format("cannot read from {}", path_), errno,
                        "See 'systemctl status raceguard' and its journal");
    }
  }
}

}  // namespace raceguard::exporting
