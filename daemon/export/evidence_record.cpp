// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/evidence_record.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"
#include "daemon/export/sha256.h"

namespace raceguard::exporting {

const std::string kGenesisHash(64, '0');

namespace {

constexpr std::string_view kHashKey = ",\"hash\":\"";
constexpr std::size_t kTailBytes = kHashKey.size() + 64 + 2;  // ,"hash":"<64>"}

tl::unexpected<Error> broken(std::string what) { return fail(ErrorCode::kEvidenceBroken, std::move(what)); }

}  // namespace

SealedLine seal_line(std::uint64_t seq, std::string_view time, std::string_view kind, const std::string& prev,
                     const nlohmann::json& data) {
  const std::string body = fmt::format(R"({{"seq":{},"time":"{}","kind":{},"prev":"{}","data":{})", seq, time,
                                       to_line(nlohmann::json(kind)), prev, to_line(data));
  std::string hash = sha256_hex(body + "}");
  return {fmt::format("{}{}{}\"}}", body, kHashKey, hash), hash};
}

Result<EvidenceLine> open_line(std::string_view line) {
  if (line.size() <= kTailBytes || line.substr(line.size() - kTailBytes, kHashKey.size()) != kHashKey ||
      line.substr(line.size() - 2) != "\"}") {
    return broken("the line does not end with its hash: it was cut or changed");
  }
  const std::string body = std::string(line.substr(0, line.size() - kTailBytes)) + "}";
  const std::string_view written = line.substr(line.size() - 66, 64);
  const std::string computed = sha256_hex(body);
  if (computed != written) {
    return broken(fmt::format("the line was changed: its hash is {}, its content has {}", written, computed));
  }
  const nlohmann::json document = nlohmann::json::parse(body, nullptr, false);
  const auto text = [&](const char* key) {
    return document.is_object() && document.contains(key) && document[key].is_string()
               ? document[key].get<std::string>()
               : std::string();
  };
  if (!document.is_object() || !document.contains("seq") || !document["seq"].is_number_unsigned() ||
      text("kind").empty() || text("prev").size() != 64) {
    return broken("the line has a valid hash but not the members seq, kind and prev");
  }
  return EvidenceLine{document["seq"].get<std::uint64_t>(), text("time"), text("kind"), text("prev"),
                      std::string(written)};
}

Result<void> check_link(const EvidenceLine* before, const EvidenceLine& line) {
  if (before == nullptr) {
    if (line.kind == kRotatedKind || (line.seq == 1 && line.prev == kGenesisHash)) {
      return {};
    }
    return broken(
        fmt::format("the file begins with record {} of kind '{}'; expected record 1 or one of kind '{}': lines "
                    "before it are missing",
                    line.seq, line.kind, kRotatedKind));
  }
  const std::uint64_t expected = before->seq + 1;
  if (line.seq > expected) {
    return broken(fmt::format("expected record {}, found {}: {} line(s) are missing or moved before it", expected,
                              line.seq, line.seq - expected));
  }
  if (line.seq < expected) {
    return broken(fmt::format("expected record {}, found {}: lines were reordered or repeated", expected, line.seq));
  }
  if (line.prev != before->hash) {
    return broken(fmt::format("expected prev {} (the hash of record {}), found {}: the line before was replaced",
                              before->hash, before->seq, line.prev));
  }
  return {};
}

}  // namespace raceguard::exporting
