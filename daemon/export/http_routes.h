// SPDX-License-Identifier: Apache-2.0
// What each HTTP path answers (docs/api.md), without any socket.
#pragma once

#include <string>
#include <string_view>

namespace raceguard {
class Clock;
}

namespace raceguard::exporting {

class Metrics;
class SnapshotSource;

struct HttpRequest {
  std::string method;
  std::string target;  // "/api/v1/locks?limit=5"
  std::string accept;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// One error document with its status, also for what the server refuses by itself.
[[nodiscard]] HttpResponse http_error(int status, std::string_view what, std::string_view remedy = {});

class HttpRoutes {
 public:
  // All must outlive the routes.
  HttpRoutes(const SnapshotSource& source, Metrics& metrics, const Clock& clock)
      : source_(source), metrics_(metrics), clock_(clock) {}

  [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;

 private:
  [[nodiscard]] HttpResponse metrics(std::string_view accept) const;
  [[nodiscard]] HttpResponse healthy() const;
  [[nodiscard]] HttpResponse ready() const;
  [[nodiscard]] HttpResponse view(std::string_view path, std::string_view query) const;

  const SnapshotSource& source_;
  Metrics& metrics_;
  const Clock& clock_;
};

}  // namespace raceguard::exporting
