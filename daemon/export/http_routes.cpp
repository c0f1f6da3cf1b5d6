// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/http_routes.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"
#include "daemon/export/metrics.h"
#include "daemon/export/process_figures.h"
#include "daemon/export/snapshot.h"
#include "daemon/export/snapshot_source.h"
#include "daemon/export/views_by_name.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

constexpr std::int64_t kTickMaxAgeNs = 5 * kNsPerSecond;
constexpr std::string_view kApi = "/api/v1/";
constexpr std::string_view kSwitches = "switches/";
constexpr std::string_view kExplain = "/explain";

HttpResponse json_response(int status, const json& document) {
  return {.status = status, .content_type = "application/json", .body = to_line(document) + "\n"};
}

HttpResponse error_response(int status, const Error& error) {
  return json_response(status, {{"error", error_to_json(error)}});
}

HttpResponse text_response(int status, std::string text) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(text) + "\n"};
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned int value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
      return std::nullopt;
    }
    result += static_cast<char>(value);
    i += 2;
  }
  return result;
}

// "limit=5" is the only parameter; what is no number stays text, which the view then refuses.
json params_of(std::string_view query) {
  json params = json::object();
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view one = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = one.find('=');
    const std::string value(equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1));
    const json number = json::parse(value, nullptr, false);
    params[std::string(one.substr(0, equals))] = number.is_number_unsigned() ? number : json(value);
  }
  return params;
}

}  // namespace

HttpResponse http_error(int status, std::string_view what, std::string_view remedy) {
  return error_response(status, {ErrorCode::kHttpRequest, std::string(what), std::string(remedy)});
}

HttpResponse HttpRoutes::answer(const HttpRequest& request) const {
  if (request.method != "GET" && request.method != "HEAD") {
    return http_error(405, fmt::format("{} is not allowed: this API only reads", request.method),
                      "Use GET or HEAD; to act, use raceguardctl");
  }
  const std::string_view target = request.target;
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  if (path == "/metrics") return metrics(request.accept);
  if (path == "/-/healthy") return healthy();
  if (path == "/-/ready") return ready();
  if (path.starts_with(kApi)) return view(path.substr(kApi.size()), query);
  return http_error(404, fmt::format("there is nothing at {}", path), "See docs/api.md; the figures are at /metrics");
}

HttpResponse HttpRoutes::metrics(std::string_view accept) const {
  const auto snapshot = source_.get();
  if (!snapshot) {
    return http_error(503, "the daemon has not finished its first tick", "Ask again in a second");
  }
  const MetricsFormat format = negotiate(accept);
  return {.status = 200,
          .content_type = std::string(content_type(format)),
          .body = metrics_.render(*snapshot, read_process_figures(), format)};
}

HttpResponse HttpRoutes::healthy() const {
  const auto snapshot = source_.get();
  if (!snapshot) {
    return text_response(503, "the loop has not ticked yet");
  }
  const std::int64_t age_ns = clock_.monotonic_ns() - snapshot->time_ns;
  if (age_ns > kTickMaxAgeNs) {
    return text_response(503, fmt::format("the loop's last tick is {:.1f} s old (at most 5 s is healthy)",
                                          static_cast<double>(age_ns) / static_cast<double>(kNsPerSecond)));
  }
  return text_response(200, "healthy");
}

HttpResponse HttpRoutes::ready() const {
  const auto snapshot = source_.get();
  if (snapshot && snapshot->ready) {
    return text_response(200, "ready");
  }
  const bool reason = snapshot && !snapshot->not_ready_reason.empty();
  return text_response(503, "not ready: " + (reason ? snapshot->not_ready_reason : "the daemon is starting"));
}

HttpResponse HttpRoutes::view(std::string_view path, std::string_view query) const {
  json params = params_of(query);
  std::string_view name = path;
  if (path.starts_with(kSwitches) && path.ends_with(kExplain) && path.size() > kSwitches.size() + kExplain.size()) {
    const auto decoded =
        percent_decoded(path.substr(kSwitches.size(), path.size() - kSwitches.size() - kExplain.size()));
    if (!decoded) {
      return http_error(400, "the switch's name is not percent-encoded correctly");
    }
    name = "explain";
    params["switch"] = *decoded;
  } else if (!is_view(path) || path == "explain") {
    return http_error(404, fmt::format("there is no view '{}'", path), "See docs/api.md");
  }
  const auto snapshot = source_.get();
  const Result<json> document = view_by_name(snapshot.get(), name, params);
  if (document) {
    return json_response(200, *document);
  }
  const bool unknown = document.error().code() == ErrorCode::kSwitchUnknown;
  return error_response(!snapshot ? 503 : unknown ? 404 : 400, document.error());
}

}  // namespace raceguard::exporting
