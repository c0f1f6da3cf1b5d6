// SPDX-License-Identifier: Apache-2.0
// One client of the control socket, without its socket: bytes in, bytes out. Pure, so that tests feed it byte by byte.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"

namespace raceguard::exporting {

class ControlSession {
 public:
  using Answer = std::function<Result<nlohmann::json>(const std::string& method, const nlohmann::json& params)>;

  ControlSession(std::size_t line_max_bytes, Answer answer);

  // Takes bytes from the client; answers the whole lines in them as long as nothing waits to be sent.
  void receive(std::string_view bytes);
  // What is to be sent; sent(n) takes n bytes away and goes on with lines that wait.
  [[nodiscard]] std::string_view outgoing() const { return std::string_view(out_).substr(sent_); }
  void sent(std::size_t count);

  [[nodiscard]] bool wants_input() const { return !closing_ && outgoing().empty(); }
  // Everything was said: close once outgoing() is empty.
  [[nodiscard]] bool closing() const { return closing_; }
  void finish_after_output() { closing_ = true; }
  [[nodiscard]] std::size_t answered() const { return answered_; }

 private:
  void answer_lines();
  void answer_line(std::string_view line);
  void put(const nlohmann::json& document);

  std::size_t line_max_bytes_;
  Answer answer_;
  std::string in_;
  std::string out_;
  std::size_t sent_ = 0;
  std::size_t answered_ = 0;
  bool closing_ = false;
};

}  // namespace raceguard::exporting
