// SPDX-License-Identifier: Apache-2.0
// Writes the evidence: hash-chained JSON lines, one for each decision, start, stop and reload (docs/evidence.md).
//
// add() only queues. flush(), once a tick and after the switches were flipped, writes what is queued and syncs it once:
// a decision reaches the application first and the disk within the same tick. While the disk takes nothing, records
// wait in a bounded queue and are tried again at each flush; beyond the bound they are lost, counted, and a record of
// kind "gap" says so where they are missing.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/breaker/decision.h"
#include "daemon/export/evidence_file.h"
#include "raceguard/error.h"

namespace raceguard {
class Clock;
}

namespace raceguard::exporting {

struct EvidenceOptions {
  std::string path;
  std::size_t queue_max = 1024;  // records; about 1 KiB each
};

class EvidenceWriter {
 public:
  // Goes on with the chain of a file that exists. A torn last line is moved to PATH.torn and noted by a record; a file
  // whose last line does not verify is moved to PATH.broken-TIME and noted in a new one: a guard that does not start
  // because its record was touched would be what an attacker wants. `clock` must outlive the writer.
  [[nodiscard]] static Result<EvidenceWriter> open(EvidenceOptions options, const Clock& clock);

  EvidenceWriter(EvidenceWriter&&) noexcept;
  EvidenceWriter& operator=(EvidenceWriter&&) = delete;
  ~EvidenceWriter();

  void add(const std::string& kind, const nlohmann::json& data);  // "start", "stop", "reload", ...
  void add(const breaker::Decision& decision);

  // Errors: kEvidenceFile; what is not written stays queued, so the caller only logs it (once, not at each tick).
  Result<void> flush();

  // After logrotate moved the file away (SIGHUP): writes to a new one, whose first record carries the chain on. If that
  // fails, the old file stays in use.
  Result<void> reopen();

  [[nodiscard]] std::uint64_t written() const { return written_; }  // since the daemon started
  [[nodiscard]] std::uint64_t pending() const { return queue_.size(); }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t last_seq() const { return seq_; }
  [[nodiscard]] const std::string& last_hash() const { return hash_; }

 private:
  struct Pending {
    std::string kind;
    std::string time;
    std::string data;        // JSON text
    std::uint64_t lost = 0;  // kind "gap": how many records it stands for
  };
  EvidenceWriter(EvidenceOptions options, const Clock& clock, EvidenceFile file);
  Result<void> continue_chain();
  void keep_torn_tail(const std::string& tail);
  Result<void> set_aside(const Error& why);
  void push(Pending record);

  EvidenceOptions options_;
  const Clock* clock_;
  EvidenceFile file_;
  std::deque<Pending> queue_;
  std::uint64_t seq_ = 0;
  std::string hash_;
  std::uint64_t written_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace raceguard::exporting
