// SPDX-License-Identifier: Apache-2.0
// FNV-1a, 64 bits. std::hash may differ between builds; what is replayed or written into tickets must not.
#pragma once

#include <cstdint>
#include <string_view>

namespace raceguard {

[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char character : text) {
    value = (value ^ static_cast<unsigned char>(character)) * 0x100000001b3ULL;
  }
  return value;
}

}  // namespace raceguard
