// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/evidence_verify.h"

#include <cerrno>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/evidence_record.h"

namespace raceguard::exporting {
namespace {

constexpr std::string_view kRemedy =
    "Somebody or something other than raceguardd wrote to the file. Lines before this one are intact; compare it with "
    "a "
    "backup or with the journal";

tl::unexpected<Error> broken_at(const std::string& path, std::uint64_t line, const std::string& what) {
  return fail(ErrorCode::kEvidenceBroken, fmt::format("{}:{}: {}", path, line, what), std::string(kRemedy));
}

std::uint64_t lost_in(const EvidenceLine& line, const std::string& text) {
  if (line.kind != "gap") {
    return 0;
  }
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  const nlohmann::json data = document.value("data", nlohmann::json::object());
  return data.is_object() && data.contains("lost") && data["lost"].is_number_unsigned()
             ? data["lost"].get<std::uint64_t>()
             : 0;
}

void add(EvidenceReport& report, const EvidenceLine& line, const std::string& text) {
  if (report.records == 0) {
    report.first_seq = line.seq;
    report.first_prev = line.prev;
    report.first_time = line.time;
  }
  ++report.records;
  report.last_seq = line.seq;
  report.last_hash = line.hash;
  report.last_time = line.time;
  report.lost += lost_in(line, text);
  ++report.by_kind[line.kind];
}

}  // namespace

Result<EvidenceReport> verify_evidence(const std::string& path, const EvidenceExpectation& expected) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail_errno(ErrorCode::kEvidenceFile, fmt::format("cannot read evidence file {}", path), errno,
                      "Run this as root, or name another file");
  }
  EvidenceReport report;
  std::optional<EvidenceLine> before;
  std::string text;
  for (std::uint64_t number = 1; std::getline(file, text); ++number) {
    if (file.eof()) {
      return broken_at(path, number, "the last line has no end: it was cut, or is being written at this moment");
    }
    Result<EvidenceLine> line = open_line(text);
    if (!line) {
      return broken_at(path, number, line.error().what());
    }
    if (auto linked = check_link(before ? &*before : nullptr, *line); !linked) {
      return broken_at(path, number, linked.error().what());
    }
    if (!before && !expected.first_prev.empty() && line->prev != expected.first_prev) {
      return broken_at(path, number,
                       fmt::format("expected to go on after hash {}, found {}", expected.first_prev, line->prev));
    }
    add(report, *line, text);
    before = std::move(*line);
  }
  if (!expected.last_hash.empty() && report.last_hash != expected.last_hash) {
    return broken_at(path, report.records + 1,
                     fmt::format("expected the file to end with hash {}, it ends with {}: lines were cut off the end",
                                 expected.last_hash, report.records == 0 ? "nothing" : report.last_hash));
  }
  return report;
}

nlohmann::json report_json(const EvidenceReport& report) {
  return {{"records", report.records},       {"first_seq", report.first_seq}, {"last_seq", report.last_seq},
          {"first_prev", report.first_prev}, {"last_hash", report.last_hash}, {"first_time", report.first_time},
          {"last_time", report.last_time},   {"lost_records", report.lost},   {"by_kind", report.by_kind}};
}

}  // namespace raceguard::exporting
