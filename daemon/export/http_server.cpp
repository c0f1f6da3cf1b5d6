// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "daemon/export/http_message.h"
#include "daemon/export/http_routes.h"
#include "raceguard/clock.h"
#include "raceguard/unique_fd.h"

namespace raceguard::exporting {
namespace {

constexpr int kBacklog = 64;
constexpr int kPollMaxMs = 1000;

std::string remedy_for(int errno_value, std::uint16_t port) {
  switch (errno_value) {
    case EADDRINUSE:
      return fmt::format("Find who has it with 'ss -ltnp sport = :{}', or set another daemon.listen_port", port);
    case EADDRNOTAVAIL:
      return "The address is not one of this host's: set daemon.listen_address";
    case EACCES:
      return "Ports below 1024 need CAP_NET_BIND_SERVICE: set daemon.listen_port to a higher port";
    default:
      return "Set daemon.listen_address and daemon.listen_port";
  }
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> parse_address(const std::string& address, std::uint16_t port) {
  SocketAddress result;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    result.size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    result.size = sizeof(*v6);
  } else {
    return fail(ErrorCode::kHttpListen, fmt::format("cannot listen on {}: it is not an IPv4 or IPv6 address", address),
                "Set daemon.listen_address to a numeric address such as 127.0.0.1 or ::1");
  }
  return result;
}

Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port) {
  Result<SocketAddress> where = parse_address(address, port);
  if (!where) {
    return fail(where.error());
  }
  UniqueFd fd(::socket(where->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      ::bind(fd.get(), where->get(), where->size) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int error = errno;
    return fail_errno(ErrorCode::kHttpListen, fmt::format("cannot listen for HTTP on {} port {}", address, port), error,
                      remedy_for(error, port));
  }
  return fd;
}

std::uint16_t port_of(const UniqueFd& fd) {
  SocketAddress bound;
  bound.size = sizeof(bound.storage);
  if (::getsockname(fd.get(), bound.get(), &bound.size) != 0) {
    return 0;
  }
  return ntohs(bound.storage.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port
                                                  : reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
}

struct Connection {
  UniqueFd fd;
  std::int64_t deadline_ns = 0;
  std::string in;
  std::string out;  // not empty: the request is answered
  std::size_t sent = 0;
};

class Server final : public HttpServer {
 public:
  Server(HttpOptions options, const HttpRoutes& routes, UniqueFd listener, UniqueFd stop)
      : options_(std::move(options)),
        routes_(routes),
        listener_(std::move(listener)),
        stop_(std::move(stop)),
        port_(port_of(listener_)),
        thread_([this] { run(); }) {
    ::pthread_setname_np(thread_.native_handle(), "rg-http");
  }
  ~Server() override {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] std::uint16_t port() const override { return port_; }

 private:
  void run() {
    std::vector<pollfd> polled;
    for (;;) {
      const bool room = connections_.size() < options_.connections_max;
      polled.assign({{stop_.get(), POLLIN, 0}, {listener_.get(), static_cast<short>(room ? POLLIN : 0), 0}});
      for (const Connection& one : connections_) {
        polled.push_back({one.fd.get(), static_cast<short>(one.out.empty() ? POLLIN : POLLOUT), 0});
      }
      // Only an open connection has a deadline to look at; without one the thread sleeps until somebody comes.
      if (::poll(polled.data(), polled.size(), connections_.empty() ? -1 : kPollMaxMs) < 0 && errno != EINTR) {
        return;
      }
      if (polled[0].revents != 0) {
        return;
      }
      serve(polled);
      if (polled[1].revents != 0) {
        accept_one();
      }
    }
  }

  void serve(const std::vector<pollfd>& polled) {
    const std::int64_t now_ns = SystemClock().monotonic_ns();
    std::vector<Connection> kept;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      Connection& one = connections_[i];
      bool open = polled[i + 2].revents == 0 || advance(one, now_ns);
      if (open && now_ns > one.deadline_ns) {
        open = one.out.empty() && refuse(one, 408, "the request did not come in time", now_ns);
      }
      if (open) {
        kept.push_back(std::move(one));
      }
    }
    connections_ = std::move(kept);
  }

  void accept_one() {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      connections_.push_back({.fd = std::move(fd),
                              .deadline_ns = SystemClock().monotonic_ns() + options_.request_timeout_ns,
                              .in = {},
                              .out = {},
                              .sent = 0});
    }
  }

  // False: done with it, close it.
  bool advance(Connection& one, std::int64_t now_ns) {
    if (!one.out.empty()) {
      return send(one);
    }
    std::array<char, 4096> chunk{};
    const ssize_t count = ::recv(one.fd.get(), chunk.data(), chunk.size(), 0);
    if (count <= 0) {
      return count < 0 && (errno == EAGAIN || errno == EINTR);
    }
    one.in.append(chunk.data(), static_cast<std::size_t>(count));
    const std::size_t size = head_size(one.in);
    if (size > options_.request_max_bytes || (size == 0 && one.in.size() > options_.request_max_bytes)) {
      return refuse(one, 431, fmt::format("the request's head is longer than {} bytes", options_.request_max_bytes),
                    now_ns);
    }
    return size == 0 || answer(one, std::string_view(one.in).substr(0, size), now_ns);
  }

  bool answer(Connection& one, std::string_view head, std::int64_t now_ns) {
    const std::optional<HttpRequest> request = parse_head(head);
    if (!request) {
      return refuse(one, 400, "the request is not HTTP/1.1", now_ns);
    }
    return respond(one, to_http(guarded_answer(*request), request->method == "HEAD"), now_ns);
  }

  // A library that throws (out of memory) costs one answer, not the daemon.
  [[nodiscard]] HttpResponse guarded_answer(const HttpRequest& request) const {
    try {
      return routes_.answer(request);
    } catch (const std::exception& exception) {
      return http_error(503, fmt::format("the answer could not be made: {}", exception.what()), "Please report this");
    }
  }

  bool refuse(Connection& one, int status, std::string_view what, std::int64_t now_ns) {
    return respond(one, to_http(http_error(status, what), false), now_ns);
  }

  bool respond(Connection& one, std::string text, std::int64_t now_ns) {
    one.in.clear();
    one.out = std::move(text);
    one.deadline_ns = now_ns + options_.answer_timeout_ns;
    return send(one);
  }

  static bool send(Connection& one) {
    const ssize_t count = ::send(one.fd.get(), one.out.data() + one.sent, one.out.size() - one.sent, MSG_NOSIGNAL);
    if (count < 0) {
      return errno == EAGAIN || errno == EINTR;
    }
    one.sent += static_cast<std::size_t>(count);
    if (one.sent < one.out.size()) {
      return true;
    }
    ::shutdown(one.fd.get(), SHUT_WR);
    return false;
  }

  HttpOptions options_;
  const HttpRoutes& routes_;
  UniqueFd listener_;
  UniqueFd stop_;
  std::uint16_t port_;
  std::vector<Connection> connections_;  // of the thread alone
  std::thread thread_;                   // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, const HttpRoutes& routes) {
  Result<UniqueFd> listener = listen_on(options.address, options.port);
  if (!listener) {
    return fail(listener.error());
  }
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) {
    return fail_errno(ErrorCode::kHttpListen, "cannot make an eventfd for the HTTP server", errno);
  }
  return std::make_unique<Server>(std::move(options), routes, std::move(*listener), std::move(stop));
}

}  // namespace raceguard::exporting
