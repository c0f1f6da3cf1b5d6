// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/control_session.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

Error malformed(std::string what) {
  return {ErrorCode::kControlRequest, std::move(what), "Send one line: {\"method\": NAME, \"params\": {...}}"};
}

// The parser recurses; a line of 64 KiB of '[' would nest as deep. Nobody needs more than a few levels.
bool too_deep(std::string_view line) {
  constexpr int kDepthMax = 32;
  int depth = 0;
  int deepest = 0;
  for (const char c : line) {
    depth += static_cast<int>(c == '[' || c == '{') - static_cast<int>(c == ']' || c == '}');
    deepest = std::max(deepest, depth);
  }
  return deepest > kDepthMax;
}

}  // namespace

ControlSession::ControlSession(std::size_t line_max_bytes, Answer answer)
    : line_max_bytes_(line_max_bytes), answer_(std::move(answer)) {}

void ControlSession::receive(std::string_view bytes) {
  in_.append(bytes);
  answer_lines();
}

void ControlSession::sent(std::size_t count) {
  sent_ += count;
  if (sent_ >= out_.size()) {
    out_.clear();
    out_.shrink_to_fit();  // an answer may have been megabytes
    sent_ = 0;
    answer_lines();
  }
}

void ControlSession::answer_lines() {
  while (wants_input()) {
    const std::size_t end = in_.find('\n');
    if (end == std::string::npos ? in_.size() > line_max_bytes_ : end > line_max_bytes_) {
      put({{"ok", false},
           {"error", error_to_json(malformed(fmt::format("request is longer than {} bytes", line_max_bytes_)))}});
      closing_ = true;  // where the next request begins is unknown
      return;
    }
    if (end == std::string::npos) {
      return;
    }
    const std::string line = in_.substr(0, end);
    in_.erase(0, end + 1);
    answer_line(line);
  }
}

void ControlSession::answer_line(std::string_view line) {
  const json request = too_deep(line) ? json(json::value_t::discarded) : json::parse(line, nullptr, false);
  ++answered_;
  Result<json> result = fail(malformed("request is not a JSON object with a string 'method'"));
  if (request.is_object() && request.contains("method") && request["method"].is_string()) {
    result = answer_(request["method"].get<std::string>(), request.value("params", json::object()));
  }
  if (result) {
    put({{"ok", true}, {"result", std::move(*result)}});
  } else {
    put({{"ok", false}, {"error", error_to_json(result.error())}});
  }
}

void ControlSession::put(const json& document) {
  out_ += to_line(document);
  out_ += '\n';
}

}  // namespace raceguard::exporting
