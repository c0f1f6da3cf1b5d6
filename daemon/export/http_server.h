// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 for /metrics, health and the read-only API: GET and HEAD, one request a connection.
//
// One thread, "rg-http", so that making an answer (/metrics: 0.8 ms with 200 locks, 40 ms with 8192; a list of 8192
// locks: 200 ms; measured on a busy machine of two CPUs) never delays a decision, which has 50 ms. It polls
// non-blocking sockets: at most 32 connections, each with 8 KiB for its request and 5 s of life to send it, 10 s to
// take the answer; more connections wait in the kernel's backlog of 64.
//
// cpp-httplib (0.11, Debian 12) was rejected: its time limits are per read, so a client that sends a byte a second
// holds one of its worker threads for ever and two of them silence /metrics and the liveness probe; its queue has no
// bound, and a failed bind loses errno.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "raceguard/error.h"

namespace raceguard::exporting {

class HttpRoutes;

struct HttpOptions {
  std::string address = "127.0.0.1";  // numeric, IPv4 or IPv6
  std::uint16_t port = 0;             // 0: the kernel chooses, see HttpServer::port()
  std::size_t connections_max = 32;
  std::size_t request_max_bytes = 8192;
  std::int64_t request_timeout_ns = 5'000'000'000;
  std::int64_t answer_timeout_ns = 10'000'000'000;
};

class HttpServer {
 public:
  // Binds and starts. `routes` must outlive the server. Error: kHttpListen, with address, errno and remedy.
  [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(HttpOptions options, const HttpRoutes& routes);
  // Ends the thread; waits for the answer that is being made, for nobody's socket.
  virtual ~HttpServer() = default;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] virtual std::uint16_t port() const = 0;

 protected:
  HttpServer() = default;
};

}  // namespace raceguard::exporting
