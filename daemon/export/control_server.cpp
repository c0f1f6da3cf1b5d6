// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"
#include "daemon/export/control_listener.h"
#include "daemon/export/control_session.h"
#include "daemon/export/views_by_name.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

struct EventSourceUnref {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using EventSource = std::unique_ptr<sd_event_source, EventSourceUnref>;

constexpr std::array<std::string_view, 4> kActingMethods = {"force", "release", "reload", "suppress"};
constexpr std::uint64_t kTimerAccuracyUs = 250'000;

struct Client {
  Client(UniqueFd socket, Peer who, std::size_t line_max, ControlSession::Answer answer)
      : fd(std::move(socket)), peer(std::move(who)), session(line_max, std::move(answer)) {}
  UniqueFd fd;  // before the sources: they go first
  Peer peer;
  ControlSession session;
  EventSource io;
  EventSource timer;
};

class Server final : public ControlServer {
 public:
  Server(sd_event* loop, ControlOptions options, std::optional<gid_t> group, ControlListener listener,
         const SnapshotSource& source, ControlHandler handler)
      : loop_(loop),
        options_(std::move(options)),
        group_(group),
        listener_(std::move(listener)),
        source_(source),
        handler_(std::move(handler)) {}

  int start() {
    sd_event_source* source = nullptr;
    const int status = sd_event_add_io(loop_, &source, listener_.fd(), EPOLLIN, &Server::on_connection, this);
    accept_.reset(source);
    return status;
  }

  [[nodiscard]] std::size_t client_count() const override { return clients_.size(); }

 private:
  static int on_connection(sd_event_source*, int, std::uint32_t, void* self) {
    static_cast<Server*>(self)->accept_one();
    return 0;
  }
  static int on_client(sd_event_source*, int fd, std::uint32_t events, void* self) {
    static_cast<Server*>(self)->serve(fd, events);
    return 0;
  }
  static int on_timeout(sd_event_source* timer, std::uint64_t, void* self) {
    static_cast<Server*>(self)->time_out(timer);
    return 0;
  }

  void accept_one() {
    UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      return;  // gone already, or out of descriptors: the next event tries again
    }
    if (clients_.size() >= options_.clients_max) {
      turn_away(fd, fmt::format("{} clients are connected already", clients_.size()));
      return;
    }
    Result<Peer> peer = peer_of(fd.get());
    if (!peer) {
      turn_away(fd, peer.error().what());
      return;
    }
    add_client(std::move(fd), std::move(*peer));
  }

  // An answer of 200 bytes fits into the buffer of a fresh socket.
  static void turn_away(const UniqueFd& fd, const std::string& why) {
    const Error error(ErrorCode::kControlRefused, "control socket is busy: " + why, "Try again, or end other clients");
    const std::string line = to_line({{"ok", false}, {"error", error_to_json(error)}}) + "\n";
    static_cast<void>(::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL));
  }

  void add_client(UniqueFd socket, Peer peer) {
    const int fd = socket.get();
    auto client = std::make_unique<Client>(
        std::move(socket), std::move(peer), options_.line_max_bytes,
        [this, fd](const std::string& method, const json& params) { return answer(*clients_.at(fd), method, params); });
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop_, &source, fd, EPOLLIN, &Server::on_client, this) < 0) {
      return;
    }
    client->io.reset(source);
    if (sd_event_add_time_relative(loop_, &source, CLOCK_MONOTONIC, timeout_us(), kTimerAccuracyUs, &Server::on_timeout,
                                   this) < 0) {
      return;
    }
    client->timer.reset(source);
    clients_.insert_or_assign(fd, std::move(client));
  }

  // A refusal answers the first request, so that a client which writes before it reads gets it, and not a reset.
  Result<json> answer(Client& client, const std::string& method, const json& params) {
    if (auto allowed = authorize(client.peer, group_, options_.group); !allowed) {
      client.session.finish_after_output();
      return fail(allowed.error());
    }
    if (is_view(method)) {
      if (options_.before_view) {
        options_.before_view();
      }
      return view_by_name(source_.get().get(), method, params);
    }
    if (std::find(kActingMethods.begin(), kActingMethods.end(), method) != kActingMethods.end()) {
      return handler_ ? handler_(method, params, client.peer)
                      : fail(ErrorCode::kControlRequest, fmt::format("this daemon does not take '{}'", method));
    }
    return fail(ErrorCode::kControlRequest, fmt::format("unknown method '{}'", method),
                fmt::format("The methods are: {}, {}", fmt::join(kViewNames, ", "), fmt::join(kActingMethods, ", ")));
  }

  void serve(int fd, std::uint32_t events) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) {
      return;
    }
    Client& client = *found->second;
    const std::size_t answered = client.session.answered();
    const bool alive = (events & EPOLLIN) == 0 || receive(client);
    if (!alive || !send(client) || (client.session.closing() && client.session.outgoing().empty())) {
      clients_.erase(found);
      return;
    }
    const bool reads = client.session.wants_input();
    sd_event_source_set_io_events(client.io.get(), reads ? std::uint32_t{EPOLLIN} : std::uint32_t{EPOLLOUT});
    if (client.session.answered() != answered) {
      sd_event_source_set_time_relative(client.timer.get(), timeout_us());
      sd_event_source_set_enabled(client.timer.get(), SD_EVENT_ONESHOT);
    }
  }

  // One chunk a wake-up: a client that floods does not keep the loop.
  static bool receive(Client& client) {
    std::array<char, 16384> chunk{};
    const ssize_t count = ::recv(client.fd.get(), chunk.data(), chunk.size(), 0);
    if (count > 0) {
      client.session.receive({chunk.data(), static_cast<std::size_t>(count)});
      return true;
    }
    return count < 0 && (errno == EAGAIN || errno == EINTR);
  }

  static bool send(Client& client) {
    while (!client.session.outgoing().empty()) {
      const std::string_view bytes = client.session.outgoing();
      const ssize_t count = ::send(client.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0) {
        return errno == EAGAIN || errno == EINTR;
      }
      client.session.sent(static_cast<std::size_t>(count));
    }
    return true;
  }

  void time_out(sd_event_source* timer) {
    std::erase_if(clients_, [&](const auto& entry) { return entry.second->timer.get() == timer; });
  }

  [[nodiscard]] std::uint64_t timeout_us() const {
    return static_cast<std::uint64_t>(options_.client_timeout_ns / kNsPerUs);
  }

  sd_event* loop_;
  ControlOptions options_;
  std::optional<gid_t> group_;
  ControlListener listener_;
  const SnapshotSource& source_;
  ControlHandler handler_;
  EventSource accept_;
  std::map<int, std::unique_ptr<Client>> clients_;  // by descriptor
};

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::create(sd_event* loop, ControlOptions options,
                                                             const SnapshotSource& source, ControlHandler handler) {
  const std::optional<gid_t> group = find_group(options.group);
  Result<ControlListener> listener = ControlListener::bind(options.path, group);
  if (!listener) {
    return fail(listener.error());
  }
  const std::string path = options.path;
  auto server =
      std::make_unique<Server>(loop, std::move(options), group, std::move(*listener), source, std::move(handler));
  if (const int status = server->start(); status < 0) {
    return fail_errno(ErrorCode::kControlSocket, fmt::format("cannot watch control socket {}", path), -status);
  }
  return server;
}

}  // namespace raceguard::exporting
