// SPDX-License-Identifier: Apache-2.0
// Reads an evidence file and finds the first line that was changed, taken away, moved or cut.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "raceguard/error.h"

namespace raceguard::exporting {

struct EvidenceReport {
  std::uint64_t records = 0;
  std::uint64_t first_seq = 0;
  std::uint64_t last_seq = 0;
  std::string first_prev;  // hash that the file before must end with; 64 zeros at a chain's begin
  std::string last_hash;   // of the last line; of first_prev if there are no lines
  std::string first_time;
  std::string last_time;
  std::uint64_t lost = 0;  // records that the gap records say could not be written
  std::map<std::string, std::uint64_t> by_kind;
};

struct EvidenceExpectation {
  std::string first_prev;  // empty: not checked. Else the last hash of the rotated file before this one
  std::string last_hash;   // empty: not checked. Else what status shows as evidence.last_hash: finds a cut tail
};

// Errors: kEvidenceFile if it cannot be read; kEvidenceBroken with "FILE:LINE: what was expected and found". Lines
// taken away from the end can only be told by `expected.last_hash`; nothing in the file knows of them.
[[nodiscard]] Result<EvidenceReport> verify_evidence(const std::string& path, const EvidenceExpectation& expected = {});

[[nodiscard]] nlohmann::json report_json(const EvidenceReport& report);

}  // namespace raceguard::exporting
