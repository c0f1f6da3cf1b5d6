// SPDX-License-Identifier: Apache-2.0
// Read access to a JSON document of docs/api.md that forgives: a key that an older daemon does not send, or a null,
// reads as the fallback. Texts come without control characters: a process names itself as it likes, and an escape
// sequence in a name must not reach the terminal of the person on call.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace raceguard::ctl {

class Doc {
 public:
  explicit Doc(const nlohmann::json& value) : value_(&value) {}  // must outlive the Doc

  [[nodiscard]] Doc at(const char* key) const;    // an empty Doc if it is not there
  [[nodiscard]] bool has(const char* key) const;  // there and not null
  [[nodiscard]] std::string text(const char* key, const std::string& fallback = {}) const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] double number(const char* key, double fallback = 0) const;
  [[nodiscard]] std::optional<double> number() const;
  [[nodiscard]] bool flag(const char* key) const;
  [[nodiscard]] std::vector<Doc> list(const char* key) const;
  [[nodiscard]] std::vector<std::pair<std::string, Doc>> entries(const char* key) const;  // of an object
  // Seconds since 1970 of an RFC 3339 time in UTC; nothing if the key holds none.
  [[nodiscard]] std::optional<double> time(const char* key) const;
  [[nodiscard]] std::optional<double> time() const;

 private:
  const nlohmann::json* value_;
};

// Control characters become '?', C1 ones (U+0080..U+009F) too.
[[nodiscard]] std::string printable(const std::string& text);

}  // namespace raceguard::ctl
