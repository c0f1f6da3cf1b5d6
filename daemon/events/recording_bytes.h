// SPDX-License-Identifier: Apache-2.0
// The bytes of a recording: little-endian integers and short strings, written and read with bounds.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "daemon/events/event.h"

namespace raceguard::events {

class ByteWriter {
 public:
  template <typename T>
  void put(T value) {
    static_assert(std::is_integral_v<T>);
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof value);
    std::memcpy(bytes_.data() + at, &value, sizeof value);  // x86-64 only: little endian
  }
  void put_bytes(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void put_string(const std::string& text) {
    const auto length = static_cast<std::uint16_t>(std::min<std::size_t>(text.size(), UINT16_MAX));
    put(length);
    put_bytes(std::as_bytes(std::span(text.data(), length)));
  }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  // 0 or empty where the bytes end early; ok() tells.
  template <typename T>
  T get() {
    T value{};
    const auto bytes = take(sizeof value);
    if (!bytes.empty()) {
      std::memcpy(&value, bytes.data(), sizeof value);
    }
    return value;
  }
  std::span<const std::byte> take(std::size_t count) {
    if (count > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  std::string get_string() {
    const auto bytes = take(get<std::uint16_t>());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::span<const std::byte> rest_;
  bool ok_ = true;
};

[[nodiscard]] std::vector<std::byte> stack_to_bytes(const Stack& stack);
// Empty: too short, or an unknown trust.
[[nodiscard]] std::optional<Stack> stack_from_bytes(std::span<const std::byte> bytes);

}  // namespace raceguard::events
