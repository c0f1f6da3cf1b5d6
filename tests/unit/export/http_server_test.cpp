// SPDX-License-Identifier: Apache-2.0
// Routes and server over real sockets on a port that the kernel chooses.
#include "daemon/export/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include <nlohmann/json.hpp>

#include "daemon/export/http_message.h"
#include "daemon/export/http_routes.h"
#include "daemon/export/metrics.h"
#include "daemon/export/snapshot_source.h"
#include "raceguard/unique_fd.h"
#include "tests/unit/export/manual_clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

HttpOptions options_for(const std::string& address, std::uint16_t port) {
  HttpOptions options;
  options.address = address;
  options.port = port;
  return options;
}

class Http : public testing::Test {
 protected:
  Http() { source_.publish(std::make_shared<const Snapshot>(sample_snapshot())); }

  void start(HttpOptions options = {}) {
    auto server = HttpServer::start(std::move(options), routes_);
    ASSERT_TRUE(server) << server.error().to_string();
    server_ = std::move(*server);
  }

  [[nodiscard]] UniqueFd connect() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  static std::string read_to_end(const UniqueFd& fd) {
    std::string text;
    std::array<char, 4096> chunk{};
    for (;;) {
      pollfd entry{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&entry, 1, 10'000) != 1) {
        ADD_FAILURE() << "the server did not close the connection";
        return text;
      }
      const ssize_t count = ::recv(fd.get(), chunk.data(), chunk.size(), 0);
      if (count <= 0) return text;
      text.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }

  [[nodiscard]] std::string raw(const std::string& bytes) const {
    const UniqueFd fd = connect();
    ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return read_to_end(fd);
  }

  [[nodiscard]] HttpResponse get(const std::string& target, const std::string& method = "GET") const {
    return routes_.answer({.method = method, .target = target, .accept = {}});
  }
  // The code of the error document.
  [[nodiscard]] static std::string code_of(const HttpResponse& response) {
    return json::parse(response.body)["error"]["code"];
  }

  ManualClock clock_;
  SnapshotSource source_;
  Metrics metrics_{20};
  HttpRoutes routes_{source_, metrics_, clock_};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Http, EveryViewIsServed) {
  for (const std::string name : {"status", "targets", "locks", "functions", "switches", "findings"}) {
    const HttpResponse response = get("/api/v1/" + name);
    EXPECT_EQ(response.status, 200) << name;
    EXPECT_TRUE(json::accept(response.body)) << name;
  }
  EXPECT_EQ(json::parse(get("/api/v1/locks?limit=1").body)["locks"].size(), 1U);
  EXPECT_EQ(json::parse(get("/api/v1/switches/recommend/explain").body)["switch"]["state"], "open");
  EXPECT_EQ(get("/api/v1/switches/%72ecommend/explain").status, 200);
}

TEST_F(Http, ErrorsAreJsonWithTheRightStatus) {
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(code_of(get("/")), "RG-X107");
  EXPECT_EQ(get("/api/v1/nothing").status, 404);
  EXPECT_EQ(get("/api/v1/explain").status, 404);
  EXPECT_EQ(get("/api/v1/switches/ghost/explain").status, 404);
  EXPECT_EQ(code_of(get("/api/v1/switches/ghost/explain")), "RG-W101");
  EXPECT_EQ(get("/api/v1/switches/%zz/explain").status, 400);
  EXPECT_EQ(get("/api/v1/locks?limit=many").status, 400);
  EXPECT_EQ(get("/api/v1/locks", "POST").status, 405);
  EXPECT_EQ(code_of(get("/metrics", "DELETE")), "RG-X107");
}

TEST_F(Http, HealthFollowsTheAgeOfTheTick) {
  EXPECT_EQ(get("/-/healthy").status, 200);
  clock_.now_monotonic_ns += 5'000'000'000;
  EXPECT_EQ(get("/-/healthy").status, 200);
  clock_.now_monotonic_ns += 1;
  EXPECT_EQ(get("/-/healthy").status, 503);
}

TEST_F(Http, ReadySaysWhyNot) {
  EXPECT_EQ(get("/-/ready").status, 200);
  Snapshot snapshot = sample_snapshot();
  snapshot.ready = false;
  snapshot.not_ready_reason = "attaching 3 of 7 probes";
  source_.publish(std::make_shared<const Snapshot>(snapshot));
  EXPECT_EQ(get("/-/ready").status, 503);
  EXPECT_THAT(get("/-/ready").body, HasSubstr("attaching 3 of 7 probes"));
}

TEST_F(Http, BeforeTheFirstTickEverythingIs503) {
  source_.publish(nullptr);
  for (const char* path : {"/metrics", "/-/healthy", "/-/ready", "/api/v1/status"}) {
    EXPECT_EQ(get(path).status, 503) << path;
  }
}

TEST_F(Http, ServesMetricsInTheFormatAskedFor) {
  start();
  EXPECT_THAT(raw("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("Content-Type: text/plain; version=0.0.4"));
  const std::string open = raw("GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0\r\n\r\n");
  EXPECT_THAT(open, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(open, HasSubstr("application/openmetrics-text; version=1.0.0"));
  EXPECT_TRUE(open.ends_with("# EOF\n"));
}

TEST_F(Http, HeadHasTheLengthAndNoBody) {
  start();
  const std::string answer = raw("HEAD /-/healthy HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(Http, RequestThatComesInPiecesIsAnswered) {
  start();
  const UniqueFd fd = connect();
  for (const char byte : std::string("GET /-/healthy HTTP/1.1\r\n\r\n")) {
    ASSERT_EQ(::send(fd.get(), &byte, 1, MSG_NOSIGNAL), 1);
  }
  EXPECT_THAT(read_to_end(fd), HasSubstr("healthy"));
}

TEST_F(Http, NonsenseAndTooMuchAreRefused) {
  start();
  EXPECT_THAT(raw("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(raw("GET x HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(raw("GET / HTTP/1.1\r\nX: " + std::string(8192, 'x')), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(raw("POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"), HasSubstr("Allow: GET, HEAD"));
}

TEST_F(Http, SlowClientsAreToldAndDoNotKeepOthersWaiting) {
  HttpOptions options;
  options.connections_max = 4;
  options.request_timeout_ns = 300'000'000;
  start(options);
  std::vector<UniqueFd> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(connect());
    ::send(slow.back().get(), "GET", 3, MSG_NOSIGNAL);
  }
  // All places are taken; this one is answered once they are cleared.
  EXPECT_THAT(raw("GET /-/healthy HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  for (const UniqueFd& fd : slow) {
    EXPECT_THAT(read_to_end(fd), StartsWith("HTTP/1.1 408 "));
  }
}

TEST_F(Http, StopsWhileClientsAreConnected) {
  start();
  const UniqueFd idle = connect();
  const UniqueFd half = connect();
  ::send(half.get(), "GET", 3, MSG_NOSIGNAL);
  server_.reset();  // would hang here
  EXPECT_THAT(read_to_end(idle), Not(HasSubstr("200")));
}

TEST_F(Http, LargeAnswerToASlowReaderArrivesWhole) {
  Snapshot snapshot = sample_snapshot();
  for (std::uint64_t i = 0; i < 20'000; ++i) snapshot.locks.push_back(sample_lock("lock", i, 1, 1000));
  source_.publish(std::make_shared<const Snapshot>(snapshot));
  start();
  const std::string answer = raw("GET /api/v1/locks?limit=100000 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(json::parse(answer.substr(head_size(answer)))["locks"].size(), 20'002U);
}

TEST_F(Http, PortInUseIsAnErrorThatNamesItAndTheWayOut) {
  start();
  const auto second = HttpServer::start(options_for("127.0.0.1", server_->port()), routes_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kHttpListen);
  EXPECT_THAT(second.error().to_string(), HasSubstr("127.0.0.1 port " + std::to_string(server_->port())));
  EXPECT_THAT(second.error().to_string(), HasSubstr("EADDRINUSE"));
  EXPECT_THAT(second.error().remedy(), HasSubstr("ss -ltnp"));
  EXPECT_FALSE(HttpServer::start(options_for("localhost", 0), routes_));
}

}  // namespace
}  // namespace raceguard::exporting
