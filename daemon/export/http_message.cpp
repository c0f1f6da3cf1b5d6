// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/http_message.h"

#include <strings.h>

#include <algorithm>

#include <fmt/format.h>

namespace raceguard::exporting {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  if (line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  return line;
}

void read_header(std::string_view line, HttpRequest& request) {
  constexpr std::string_view kAccept = "accept:";
  if (line.size() >= kAccept.size() && ::strncasecmp(line.data(), kAccept.data(), kAccept.size()) == 0) {
    request.accept += (request.accept.empty() ? "" : ",") + std::string(line.substr(kAccept.size()));
  }
}

}  // namespace

std::size_t head_size(std::string_view bytes) {
  for (const std::string_view end : {std::string_view("\r\n\r\n"), std::string_view("\n\n")}) {
    if (const std::size_t at = bytes.find(end); at != std::string_view::npos) {
      return at + end.size();
    }
  }
  return 0;
}

std::optional<HttpRequest> parse_head(std::string_view head) {
  const std::string_view line = take_line(head);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || !line.substr(last + 1).starts_with("HTTP/1.")) {
    return std::nullopt;
  }
  HttpRequest request;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  if (!is_token(request.method) || !request.target.starts_with('/') || !is_printable(request.target)) {
    return std::nullopt;
  }
  while (!head.empty()) {
    read_header(take_line(head), request);
  }
  return request;
}

std::string to_http(const HttpResponse& response, bool head_only) {
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: "
      "nosniff\r\nConnection: close\r\n{}\r\n",
      response.status, reason_of(response.status), response.content_type, response.body.size(),
      response.status == 405 ? "Allow: GET, HEAD\r\n" : "");
  return head_only ? text : text + response.body;
}

}  // namespace raceguard::exporting
