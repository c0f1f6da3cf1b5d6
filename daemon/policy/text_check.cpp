// SPDX-License-Identifier: Apache-2.0
#include "daemon/policy/text_check.h"

#include <array>
#include <cstddef>

namespace raceguard::policy {
namespace {

// RFC 3629 section 4: lead bytes, how many bytes follow, and the range of the first that follows.
struct Lead {
  std::uint8_t first, last, following, second_first, second_last;
};
constexpr std::array kLeads = {
    Lead{0xC2, 0xDF, 1, 0x80, 0xBF}, Lead{0xE0, 0xE0, 2, 0xA0, 0xBF}, Lead{0xE1, 0xEC, 2, 0x80, 0xBF},
    Lead{0xED, 0xED, 2, 0x80, 0x9F}, Lead{0xEE, 0xEF, 2, 0x80, 0xBF}, Lead{0xF0, 0xF0, 3, 0x90, 0xBF},
    Lead{0xF1, 0xF3, 3, 0x80, 0xBF}, Lead{0xF4, 0xF4, 3, 0x80, 0x8F},
};

bool is_allowed_ascii(std::uint8_t byte) {
  return byte == '\t' || byte == '\n' || byte == '\r' || (byte >= 0x20 && byte < 0x7F);
}

// Length of the character at `at`, or 0 if it is none.
std::size_t character_length(std::string_view text, std::size_t at) {
  const auto byte_at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead_byte = byte_at(at);
  if (lead_byte < 0x80) {
    return is_allowed_ascii(lead_byte) ? 1 : 0;
  }
  for (const Lead& lead : kLeads) {
    if (lead_byte < lead.first || lead_byte > lead.last) {
      continue;
    }
    if (at + lead.following >= text.size() || byte_at(at + 1) < lead.second_first ||
        byte_at(at + 1) > lead.second_last) {
      return 0;
    }
    for (std::size_t i = 2; i <= lead.following; ++i) {
      if (byte_at(at + i) < 0x80 || byte_at(at + i) > 0xBF) {
        return 0;
      }
    }
    return 1U + lead.following;
  }
  return 0;
}

}  // namespace

std::optional<BadByte> find_bad_byte(std::string_view text) {
  BadByte place;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = character_length(text, i);
    if (length == 0) {
      place.byte = static_cast<std::uint8_t>(text[i]);
      return place;
    }
    if (text[i] == '\n') {
      ++place.line;
      place.column = 1;
    } else {
      place.column += static_cast<std::uint32_t>(length);
    }
    i += length;
  }
  return std::nullopt;
}

}  // namespace raceguard::policy
