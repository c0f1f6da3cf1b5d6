// SPDX-License-Identifier: Apache-2.0
// verify FILE: is the evidence whole? The chain alone cannot tell that lines were cut off the end, so the end is held
// against what the daemon says it wrote last, if it writes to this file.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "ctl/commands.h"
#include "ctl/daemon_client.h"
#include "ctl/document.h"
#include "daemon/export/evidence_verify.h"

namespace raceguard::ctl {
namespace {

namespace fs = std::filesystem;
using exporting::EvidenceReport;

// A record may be written between the question and the look at the file.
constexpr int kLooks = 20;
constexpr auto kBetweenLooks = std::chrono::milliseconds(50);  // half a tick of the daemon

// Does that process hold the file open? Nothing, and why, if it cannot be told.
Result<bool> has_open(long pid, const std::string& path) {
  struct stat wanted {};
  if (::stat(path.c_str(), &wanted) != 0) {
    return false;
  }
  std::error_code error;
  const fs::path folder = fmt::format("/proc/{}/fd", pid);
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    struct stat found {};
    if (::stat(entry->path().c_str(), &found) == 0 && found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino) {
      return true;
    }
  }
  if (error) {
    return fail_errno(ErrorCode::kDaemonUnreachable,
                      fmt::format("cannot see which files raceguardd (pid {}) writes", pid), error.value(),
                      "Run this as root, or give its hash with --last");
  }
  return false;
}

struct Checked {
  EvidenceReport report;
  std::string compared;  // with what the end was compared, or why not
  bool against_daemon = false;
};

// Empty: the end was compared and is right; else why it was not compared. An error: it is wrong.
Result<std::string> compare_with_daemon(const Invocation& invocation, const std::string& path, Checked& checked) {
  for (int look = 0; look < kLooks; ++look) {
    const auto status = ask_daemon(invocation, "status", nlohmann::json::object());
    if (!status) {
      return "the end was not compared with the daemon: " + status.error().what();
    }
    const Doc evidence = Doc(*status).at("evidence");
    const auto open = has_open(static_cast<long>(Doc(*status).number("pid")), path);
    if (!open) {
      return "the end was not compared with the daemon: " + open.error().what();
    }
    if (!*open) {
      return std::string("the end was not compared: the daemon that answers writes to another file");
    }
    auto again = exporting::verify_evidence(path);
    if (!again) {
      return fail(std::move(again.error()));
    }
    checked.report = std::move(*again);
    if (checked.report.last_hash == evidence.text("last_hash")) {
      return std::string();
    }
    if (static_cast<double>(checked.report.last_seq) < evidence.number("last_seq")) {
      break;  // the daemon wrote more than there is
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
  return fail(ErrorCode::kEvidenceBroken,
              fmt::format("{}:{}: the end is not what raceguardd wrote last: lines were cut off or replaced", path,
                          checked.report.records + 1),
              "Compare 'raceguardctl status -o json' (evidence.last_seq, last_hash) with the file's last line");
}

Result<Checked> check(const Invocation& invocation, const std::string& path) {
  const std::string last = invocation.value("last");
  auto report = exporting::verify_evidence(path, {.first_prev = invocation.value("after"), .last_hash = last});
  if (!report) {
    return fail(std::move(report.error()));
  }
  Checked checked{.report = std::move(*report), .compared = {}, .against_daemon = false};
  if (!last.empty()) {
    checked.compared = "it ends with the hash that was given";
    return checked;
  }
  auto compared = compare_with_daemon(invocation, path, checked);
  if (!compared) {
    return fail(std::move(compared.error()));
  }
  checked.against_daemon = compared->empty();
  checked.compared = checked.against_daemon ? "its end is what the running daemon wrote last" : *compared;
  return checked;
}

std::string text_of(const std::string& path, const Checked& checked) {
  const EvidenceReport& report = checked.report;
  if (report.records == 0) {
    return fmt::format("{} is empty; {}\n", path, checked.compared);
  }
  std::string kinds;
  for (const auto& [kind, number] : report.by_kind) {
    kinds += fmt::format("{}{} {}", kinds.empty() ? "" : ", ", number, printable(kind));
  }
  std::string text =
      fmt::format("{} is whole: {} (seq {} to {}), {} to {}\n  {}\n  {}\n", path,
                  plural(static_cast<double>(report.records), "record"), report.first_seq, report.last_seq,
                  printable(report.first_time), printable(report.last_time), kinds, checked.compared);
  if (report.lost > 0) {
    text += fmt::format("  {} could not be written at the time (the file says where)\n",
                        plural(static_cast<double>(report.lost), "record"));
  }
  return text;
}

}  // namespace

int run_verify(const Invocation& invocation) {
  const std::string path = invocation.value("file");
  const auto checked = check(invocation, path);
  if (!checked) {
    if (invocation.json) {
      put(nlohmann::json{{"file", path}, {"whole", false}, {"error", checked.error().what()}});
    }
    return report(checked.error());
  }
  if (!invocation.json) {
    return put(text_of(path, *checked));
  }
  nlohmann::json document = exporting::report_json(checked->report);
  document["file"] = path;
  document["whole"] = true;
  document["end"] = checked->compared;
  document["compared_with_daemon"] = checked->against_daemon;
  return put(document);
}

}  // namespace raceguard::ctl
