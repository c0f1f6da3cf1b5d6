// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/evidence.h"

#include <cerrno>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "daemon/export/client/error_wire.h"
#include "daemon/export/evidence_record.h"
#include "daemon/export/json_views.h"
#include "daemon/export/sha256.h"
#include "raceguard/clock.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;

constexpr std::string_view kGapKind = "gap";

}  // namespace

EvidenceWriter::EvidenceWriter(EvidenceOptions options, const Clock& clock, EvidenceFile file)
    : options_(std::move(options)), clock_(&clock), file_(std::move(file)), hash_(kGenesisHash) {}
EvidenceWriter::EvidenceWriter(EvidenceWriter&&) noexcept = default;
EvidenceWriter::~EvidenceWriter() = default;

Result<EvidenceWriter> EvidenceWriter::open(EvidenceOptions options, const Clock& clock) {
  Result<EvidenceFile> file = EvidenceFile::open(options.path);
  if (!file) {
    return fail(file.error());
  }
  EvidenceWriter writer(std::move(options), clock, std::move(*file));
  if (auto continued = writer.continue_chain(); !continued) {
    return fail(continued.error());
  }
  return writer;
}

Result<void> EvidenceWriter::continue_chain() {
  const Result<std::string> tail = file_.take_torn_tail();
  if (!tail) {
    return fail(tail.error());
  }
  const Result<std::string> last = file_.last_line();
  if (!last) {
    return fail(last.error());
  }
  if (!tail->empty()) {
    keep_torn_tail(*tail);
  }
  if (!last->empty()) {
    const Result<EvidenceLine> line = open_line(*last);
    if (!line) {
      return set_aside(line.error());
    }
    seq_ = line->seq;
    hash_ = line->hash;
  }
  return {};
}

void EvidenceWriter::keep_torn_tail(const std::string& tail) {
  const std::string path = options_.path + ".torn";
  Result<EvidenceFile> torn = EvidenceFile::open(path);
  const bool kept = torn && torn->append(tail + "\n") && torn->sync();
  add("torn", {{"bytes", tail.size()}, {"sha256", sha256_hex(tail)}, {"kept_in", kept ? json(path) : json(nullptr)}});
}

Result<void> EvidenceWriter::set_aside(const Error& why) {
  const std::string path = fmt::format("{}.broken-{}", options_.path, clock_->realtime_ns());
  if (std::rename(options_.path.c_str(), path.c_str()) != 0) {
    return fail_errno(ErrorCode::kEvidenceFile,
                      fmt::format("cannot set the broken evidence file {} aside", options_.path), errno,
                      "Move it away by hand");
  }
  Result<EvidenceFile> file = EvidenceFile::open(options_.path);
  if (!file) {
    return fail(file.error());
  }
  file_ = std::move(*file);
  add("set_aside", {{"file", path}, {"why", why.what()}});
  return {};
}

void EvidenceWriter::add(const std::string& kind, const json& data) {
  push({.kind = kind, .time = rfc3339_utc(clock_->realtime_ns()), .data = to_line(data)});
}

void EvidenceWriter::add(const breaker::Decision& decision) { add("decision", decision_json(decision)); }

// The oldest records are the ones that tell how it began, so the newest are lost.
void EvidenceWriter::push(Pending record) {
  const bool gap_open = !queue_.empty() && queue_.back().kind == kGapKind;
  if (queue_.size() < options_.queue_max || (!gap_open && queue_.size() == options_.queue_max)) {
    if (queue_.size() < options_.queue_max) {
      queue_.push_back(std::move(record));
      return;
    }
    queue_.push_back({.kind = std::string(kGapKind), .time = std::move(record.time), .data = {}});
  }
  ++queue_.back().lost;
  ++lost_;
}

Result<void> EvidenceWriter::flush() {
  bool wrote = false;
  while (!queue_.empty()) {
    const Pending& next = queue_.front();
    const json data = next.lost > 0 ? json{{"lost", next.lost}} : json::parse(next.data);
    const SealedLine line = seal_line(seq_ + 1, next.time, next.kind, hash_, data);
    if (auto appended = file_.append(line.text + "\n"); !appended) {
      return appended;
    }
    ++seq_;
    hash_ = line.hash;
    ++written_;
    queue_.pop_front();
    wrote = true;
  }
  return wrote ? file_.sync() : Result<void>();
}

Result<void> EvidenceWriter::reopen() {
  static_cast<void>(flush());  // what the disk still takes belongs into the old file
  Result<EvidenceFile> file = EvidenceFile::open(options_.path);
  if (!file) {
    return fail(file.error());
  }
  // The same file again if nobody moved it: half a line of a full disk may be at its end.
  const Result<std::string> tail = file->take_torn_tail();
  const Result<std::string> last = file->last_line();
  if (!tail || !last) {
    return fail(tail ? last.error() : tail.error());
  }
  file_ = std::move(*file);
  if (last->empty() && seq_ > 0) {
    queue_.push_front({.kind = std::string(kRotatedKind),
                       .time = rfc3339_utc(clock_->realtime_ns()),
                       .data = to_line({{"previous_seq", seq_}, {"previous_hash", hash_}})});
  }
  return flush();
}

}  // namespace raceguard::exporting
