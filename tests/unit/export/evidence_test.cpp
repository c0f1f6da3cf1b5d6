// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "daemon/export/evidence_record.h"
#include "daemon/export/evidence_verify.h"
#include "daemon/export/json_views.h"
#include "tests/unit/export/manual_clock.h"
#include "tests/unit/export/temporary_directory.h"

namespace raceguard::exporting {
namespace {

using nlohmann::json;
using testing::HasSubstr;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void write_lines(const std::string& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  write_file(path, text);
}

class Evidence : public testing::Test {
 protected:
  [[nodiscard]] EvidenceWriter open(std::size_t queue_max = 1024) const {
    auto writer = EvidenceWriter::open({.path = path_, .queue_max = queue_max}, clock_);
    if (!writer) throw std::runtime_error(writer.error().to_string());
    return std::move(*writer);
  }
  void write_records(int count) const {
    EvidenceWriter writer = open();
    for (int i = 0; i < count; ++i) writer.add("decision", {{"number", i}});
    ASSERT_TRUE(writer.flush());
  }
  // The error of verifying; fails the test if there is none.
  [[nodiscard]] std::string broken(const EvidenceExpectation& expected = {}) const {
    const auto report = verify_evidence(path_, expected);
    EXPECT_FALSE(report) << "tampering was not found";
    if (report) return {};
    EXPECT_EQ(report.error().code(), ErrorCode::kEvidenceBroken);
    return report.error().what();
  }

  ManualClock clock_;
  TemporaryDirectory directory_;
  std::string path_ = directory_ / "evidence.jsonl";
};

TEST_F(Evidence, ADecisionIsWrittenWholeAndReadBack) {
  const breaker::Decision decision = sample_snapshot().switches[0].history[0];
  {
    EvidenceWriter writer = open();
    writer.add("start", {{"version", "0.1.0"}});
    writer.add(decision);
    EXPECT_EQ(writer.written(), 0U);
    ASSERT_TRUE(writer.flush());
    EXPECT_EQ(writer.written(), 2U);
  }
  const json line = json::parse(lines_of(path_).at(1));
  EXPECT_EQ(line["seq"], 2);
  EXPECT_EQ(line["kind"], "decision");
  EXPECT_EQ(line["time"], "2026-01-01T00:00:00.123456Z");
  EXPECT_EQ(line["data"], decision_json(decision));
  EXPECT_EQ(line["data"]["monotonic_ns"], decision.time_ns);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms{0640});
  const auto report = verify_evidence(path_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->records, 2U);
  EXPECT_EQ(report->by_kind.at("decision"), 1U);
}

TEST_F(Evidence, TheHashIsOverTheBytesSoThatAnyToolCanCheckIt) {
  write_records(1);
  const std::string command =
      "sed 's/,\"hash\":\".*//; s/$/}/' " + path_ + " | tr -d '\\n' | sha256sum | cut -d' ' -f1";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::array<char, 128> output{};
  ASSERT_NE(std::fgets(output.data(), output.size(), pipe), nullptr);
  ::pclose(pipe);
  EXPECT_EQ(std::string(output.data(), 64), json::parse(lines_of(path_).at(0))["hash"].get<std::string>());
}

TEST_F(Evidence, TheChainGoesOnOverARestart) {
  write_records(3);
  write_records(2);
  const auto report = verify_evidence(path_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->last_seq, 5U);
}

TEST_F(Evidence, ChangedLineIsFound) {
  write_records(5);
  auto lines = lines_of(path_);
  lines[2].replace(lines[2].find("\"number\":2"), 10, "\"number\":7");
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:3: the line was changed"));
}

TEST_F(Evidence, ChangedLineWithANewHashIsFoundAtTheNextOne) {
  write_records(5);
  auto lines = lines_of(path_);
  const json old = json::parse(lines[2]);
  lines[2] = seal_line(3, "t", "decision", old["prev"], {{"number", 7}}).text;
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:4: expected prev"));
}

TEST_F(Evidence, MissingLineIsFound) {
  write_records(5);
  auto lines = lines_of(path_);
  lines.erase(lines.begin() + 1, lines.begin() + 3);
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:2: expected record 2, found 4: 2 line(s) are missing"));
}

TEST_F(Evidence, MissingFirstLineIsFound) {
  write_records(5);
  auto lines = lines_of(path_);
  lines.erase(lines.begin());
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:1: the file begins with record 2"));
}

TEST_F(Evidence, ReorderedLinesAreFound) {
  write_records(5);
  auto lines = lines_of(path_);
  std::swap(lines[2], lines[3]);
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:3: expected record 3, found 4"));
}

TEST_F(Evidence, RepeatedAndInsertedLinesAreFound) {
  write_records(3);
  auto lines = lines_of(path_);
  lines.push_back(lines.back());
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:4: expected record 4, found 3"));
  lines.back() = "{}";
  write_lines(path_, lines);
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:4: the line does not end with its hash"));
}

TEST_F(Evidence, CutLineIsFoundAndACutTailByTheHashOfTheDaemon) {
  write_records(5);
  const std::string whole = read_file(path_);
  const std::string last_hash = verify_evidence(path_)->last_hash;
  write_file(path_, whole.substr(0, whole.size() - 10));
  EXPECT_THAT(broken(), HasSubstr("evidence.jsonl:5: the last line has no end"));
  auto lines = lines_of(path_);
  lines.pop_back();
  write_lines(path_, lines);
  EXPECT_TRUE(verify_evidence(path_));  // nothing in the file knows of it
  EXPECT_THAT(broken({.first_prev = {}, .last_hash = last_hash}), HasSubstr("lines were cut off the end"));
}

TEST_F(Evidence, EveryBitOfALineCounts) {
  write_records(1);
  const std::string whole = read_file(path_);
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_file(path_, changed);
    EXPECT_FALSE(verify_evidence(path_)) << "byte " << at;
  }
}

TEST_F(Evidence, TornLastLineIsSetAsideNotedAndTheChainGoesOn) {
  write_records(3);
  std::ofstream(path_, std::ios::app) << R"({"seq":4,"time":"2026)";
  write_records(1);
  const auto report = verify_evidence(path_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->records, 5U);
  EXPECT_EQ(report->by_kind.at("torn"), 1U);
  EXPECT_EQ(read_file(path_ + ".torn"), "{\"seq\":4,\"time\":\"2026\n");
  EXPECT_EQ(json::parse(lines_of(path_).at(3))["data"]["bytes"], 21);
}

TEST_F(Evidence, FileWithABrokenEndIsSetAsideAndANewChainBegins) {
  write_records(2);
  std::ofstream(path_, std::ios::app) << "somebody was here\n";
  write_records(1);
  const auto report = verify_evidence(path_);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->by_kind.at("set_aside"), 1U);
  const std::string aside = json::parse(lines_of(path_).at(0))["data"]["file"];
  EXPECT_THAT(read_file(aside), HasSubstr("somebody was here"));
}

TEST_F(Evidence, RotationCarriesTheChainIntoTheNewFile) {
  EvidenceWriter writer = open();
  writer.add("decision", {{"number", 1}});
  ASSERT_TRUE(writer.flush());
  const std::string old_path = path_ + ".1";
  std::filesystem::rename(path_, old_path);
  writer.add("decision", {{"number", 2}});
  ASSERT_TRUE(writer.reopen());
  writer.add("decision", {{"number", 3}});
  ASSERT_TRUE(writer.flush());
  const auto old_report = verify_evidence(old_path);
  ASSERT_TRUE(old_report);
  EXPECT_EQ(old_report->last_seq, 2U);  // what was queued went into the old file
  const auto report = verify_evidence(path_, {.first_prev = old_report->last_hash, .last_hash = writer.last_hash()});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->first_seq, 3U);
  EXPECT_EQ(report->by_kind.at("rotated"), 1U);
  EXPECT_THAT(broken({.first_prev = kGenesisHash, .last_hash = {}}), HasSubstr("expected to go on after"));
}

TEST_F(Evidence, ReopenWithoutRotationChangesNothing) {
  EvidenceWriter writer = open();
  writer.add("decision", {{"number", 1}});
  ASSERT_TRUE(writer.flush());
  ASSERT_TRUE(writer.reopen());
  writer.add("decision", {{"number", 2}});
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(verify_evidence(path_)->records, 2U);
}

TEST_F(Evidence, MissingDirectoryIsAnErrorThatSaysWhatToDo) {
  const auto writer = EvidenceWriter::open({.path = directory_ / "no/such/file"}, clock_);
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error().to_string(), HasSubstr("ENOENT"));
  EXPECT_THAT(writer.error().remedy(), HasSubstr("daemon.evidence_file"));
}

// The part of a disk-full test that runs in a child with a tmpfs of 64 KiB of its own.
class DiskFull : public Evidence {
 protected:
  // Runs `body` in a child in its own mount namespace; its failed expectations fail this test.
  template <typename Body>
  void in_small_file_system(Body body) {
    if (::getuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string mount_point = std::filesystem::path(path_).parent_path();
      const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                           ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, "size=64k") == 0;
      EXPECT_TRUE(mounted) << "cannot mount a tmpfs";
      if (mounted) body();
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child failed, see above";
  }

  void fill_disk() const {
    std::ofstream filler(directory_ / "filler", std::ios::binary);
    for (int i = 0; i < 64 && filler; ++i) filler << std::string(1024, 'x') << std::flush;
    ASSERT_FALSE(filler) << "the file system has no end";
  }
  void free_disk() const { std::filesystem::remove(directory_ / "filler"); }
};

TEST_F(DiskFull, RecordsWaitAndAreWrittenInOrderWhenSpaceReturns) {
  in_small_file_system([this] {
    EvidenceWriter writer = open();
    writer.add("start", {{"text", std::string(3000, 's')}});
    ASSERT_TRUE(writer.flush());
    fill_disk();
    for (int i = 0; i < 8; ++i) writer.add("decision", {{"number", i}, {"text", std::string(1000, 't')}});
    const Result<void> full = writer.flush();
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().errno_value(), ENOSPC);
    EXPECT_GT(writer.pending(), 0U);
    EXPECT_TRUE(verify_evidence(path_)) << "half a line was left: " << verify_evidence(path_).error().to_string();
    EXPECT_FALSE(writer.flush());
    free_disk();
    ASSERT_TRUE(writer.flush());
    EXPECT_EQ(writer.lost(), 0U);
    const auto report = verify_evidence(path_);
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_EQ(report->records, 9U);
  });
}

TEST_F(DiskFull, BeyondTheQueueRecordsAreLostCountedAndTheGapIsRecorded) {
  in_small_file_system([this] {
    EvidenceWriter writer = open(/*queue_max=*/4);
    writer.add("start", {{"text", std::string(3900, 's')}});
    ASSERT_TRUE(writer.flush());
    fill_disk();
    const json data = {{"text", std::string(1000, 't')}};
    do {
      writer.add("decision", data);  // the file's last page may take a few more
    } while (writer.flush());
    const std::uint64_t written = writer.written();
    for (int i = 1; i < 10; ++i) {
      writer.add("decision", data);
      EXPECT_FALSE(writer.flush());
    }
    EXPECT_EQ(writer.lost(), 6U);
    EXPECT_EQ(writer.pending(), 5U);  // four records and the gap
    free_disk();
    ASSERT_TRUE(writer.flush());
    writer.add("stop", data);
    ASSERT_TRUE(writer.flush());
    const auto report = verify_evidence(path_);
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_EQ(report->lost, 6U);
    EXPECT_EQ(report->by_kind.at("gap"), 1U);
    const auto lines = lines_of(path_);
    EXPECT_EQ(lines.size(), written + 6);
    EXPECT_EQ(json::parse(lines.at(written + 4))["kind"], "gap");
    EXPECT_EQ(json::parse(lines.at(written + 5))["kind"], "stop");
  });
}

}  // namespace
}  // namespace raceguard::exporting
