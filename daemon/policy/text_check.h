// SPDX-License-Identifier: Apache-2.0
// yaml-cpp takes the byte 0x04 for the end of the text and replaces what is not UTF-8: a policy could lose its rest
// silently. So a text is held to printable UTF-8 before the library sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace raceguard::policy {

struct BadByte {
  std::uint32_t line = 1;
  std::uint32_t column = 1;  // in bytes
  std::uint8_t byte = 0;
};

// The first byte that is a control character (other than tab, newline, return) or does not fit UTF-8 (RFC 3629).
std::optional<BadByte> find_bad_byte(std::string_view text);

}  // namespace raceguard::policy
