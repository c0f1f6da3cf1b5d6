// SPDX-License-Identifier: Apache-2.0
// One line of the evidence file, and the chain that the lines form (docs/evidence.md). Pure text, no files.
//
//   {"seq":7,"time":"..","kind":"decision","prev":"<64 hex>","data":{..},"hash":"<64 hex>"}
//
// `hash` is the SHA-256 of the line's bytes without `,"hash":".."`: anybody can check it with cut and sha256sum,
// without a JSON library that writes numbers the same way. `prev` is the hash of the line before and is covered by
// `hash`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"

namespace raceguard::exporting {

// `prev` of the first line of a chain: 64 zeros.
extern const std::string kGenesisHash;
inline constexpr std::string_view kRotatedKind = "rotated";  // goes on with the chain of the file before

struct EvidenceLine {
  std::uint64_t seq = 0;
  std::string time;
  std::string kind;
  std::string prev;
  std::string hash;
};

// The line without its newline, and its hash.
struct SealedLine {
  std::string text;
  std::string hash;
};

[[nodiscard]] SealedLine seal_line(std::uint64_t seq, std::string_view time, std::string_view kind,
                                   const std::string& prev, const nlohmann::json& data);

// Checks the line by itself: its form and its hash. Error: kEvidenceBroken, with what was expected.
[[nodiscard]] Result<EvidenceLine> open_line(std::string_view line);

// Checks that `line` follows `before` (null: is a first line). Error: kEvidenceBroken.
[[nodiscard]] Result<void> check_link(const EvidenceLine* before, const EvidenceLine& line);

}  // namespace raceguard::exporting
