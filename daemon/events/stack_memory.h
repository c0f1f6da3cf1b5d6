// SPDX-License-Identifier: Apache-2.0
// The part of a thread's stack that was copied when it waited.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace raceguard::events {

class StackMemory {
 public:
  StackMemory(std::uint64_t base, std::span<const std::byte> bytes) : base_(base), bytes_(bytes) {}

  [[nodiscard]] std::optional<std::uint64_t> read(std::uint64_t address) const {
    std::uint64_t value = 0;
    if (address < base_ || address - base_ > bytes_.size() || bytes_.size() - (address - base_) < sizeof value) {
      return std::nullopt;
    }
    std::memcpy(&value, bytes_.data() + (address - base_), sizeof value);
    return value;
  }
  // The word at the address was not copied because it lies above the copy: the stack is deeper, not broken.
  [[nodiscard]] bool is_above(std::uint64_t address) const {
    constexpr std::uint64_t kStackLimit = 64U << 20U;  // a frame further away is no frame of this stack
    return address >= base_ && address - base_ + sizeof(std::uint64_t) > bytes_.size() &&
           address - base_ < bytes_.size() + kStackLimit;
  }

 private:
  std::uint64_t base_;
  std::span<const std::byte> bytes_;
};

}  // namespace raceguard::events
