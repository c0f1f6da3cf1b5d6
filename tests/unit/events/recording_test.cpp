// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/recording.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "daemon/events/decoder.h"
#include "tests/unit/events/raw_bytes.h"

namespace raceguard::events {
namespace {

class RecordingTest : public ::testing::Test {
 protected:
  RecordingTest() {
    std::string name = ::testing::TempDir() + "/recordingXXXXXX";
    folder = mkdtemp(name.data());
    path = folder + "/events.rgrec";
  }
  ~RecordingTest() override { std::filesystem::remove_all(folder); }

  // A process event, then a stack of two frames whose copy must not get into the file.
  std::uint64_t record_two() {
    auto recorder = Recorder::create(path).value();
    const auto process = raw::bytes(raw::process(RG_PROCESS_EXEC, 42));
    EXPECT_TRUE(recorder.add(process, process_event(std::get<rg_record_process>(decode(process).value()))));
    rg_record_stack stack = raw::stack(RG_STACK_WAITER, 0x5000);
    stack.stack_bytes = 8192;
    std::memcpy(stack.stack, "password", 8);
    const auto bytes = raw::bytes(stack);
    EXPECT_TRUE(recorder.add(bytes, lock_stack_event(std::get<StackRecord>(decode(bytes).value()), named())));
    return recorder.bytes_written();
  }

  static Stack named() {
    Stack stack;
    stack.trust = StackTrust::kUnwound;
    stack.complete = true;
    stack.frames.resize(2);
    stack.frames[0].function = "pthread_mutex_lock";
    stack.frames[0].function_offset = 0x50;
    stack.frames[1].function = "restock()";
    stack.frames[1].binary = "/srv/shop";
    stack.frames[1].address = 0x1234;
    stack.frames[1].source = symbols::SourceLine{.file = "server.cpp", .line = 88};
    stack.reliable_frames = 2;
    return stack;
  }

  std::string folder;
  std::string path;
};

TEST_F(RecordingTest, ReplaysWhatWasRecorded) {
  record_two();
  auto replayer = Replayer::open(path).value();
  const auto first = replayer.next().value();
  EXPECT_EQ(std::get<ProcessEvent>(first.value()).pid, 42);
  const auto second = replayer.next().value();
  const auto& sample = std::get<LockStackEvent>(second.value());
  EXPECT_EQ(sample.lock_address, 0x5000U);
  EXPECT_EQ(sample.wait_kind, LockStackEvent::WaitKind::kLock);
  EXPECT_EQ(sample.stack.trust, StackTrust::kUnwound);
  EXPECT_TRUE(sample.stack.complete);
  ASSERT_EQ(sample.stack.frames.size(), 2U);
  EXPECT_EQ(sample.stack.frames[0].function_offset, 0x50U);
  EXPECT_FALSE(sample.stack.frames[0].source);
  EXPECT_EQ(sample.stack.frames[1].function, "restock()");
  EXPECT_EQ(sample.stack.frames[1].address, 0x1234U);
  ASSERT_TRUE(sample.stack.frames[1].source);
  EXPECT_EQ(sample.stack.frames[1].source->line, 88U);
  EXPECT_FALSE(replayer.next().value().has_value()) << "the end";
}

TEST_F(RecordingTest, HoldsNoStackCopyAndIsForItsOwnerOnly) {
  EXPECT_LT(record_two(), 1024U);
  std::ifstream file(path, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(content.find("password"), std::string::npos);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RecordingTest, WhereverItIsCutOffTheEventsBeforeAreGoodAndAnErrorSaysSo) {
  record_two();
  std::ifstream file(path, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  const std::string partial = folder + "/partial.rgrec";
  for (std::size_t cut = 16; cut < content.size(); ++cut) {
    // Grows by appending: ext4 syncs a file that is truncated and written anew, some 6 ms each time.
    std::ofstream(partial, std::ios::binary | std::ios::app)
        << (cut == 16 ? content.substr(0, 16) : content.substr(cut - 1, 1));
    auto replayer = Replayer::open(partial).value();
    std::size_t whole = 0;
    auto event = replayer.next();
    while (event && *event) {
      ++whole;
      event = replayer.next();
    }
    const std::uint64_t after_process = 16 + 8 + sizeof(rg_record_process);
    EXPECT_EQ(whole, cut >= after_process ? 1U : 0U) << cut;
    if (cut == 16 || cut == after_process) {
      EXPECT_TRUE(event) << "between two events it just ends";
    } else {
      ASSERT_FALSE(event) << cut;
      EXPECT_EQ(event.error().code(), ErrorCode::kEventFile);
      EXPECT_NE(event.error().what().find(std::to_string(whole) + " whole events"), std::string::npos);
    }
  }
}

TEST_F(RecordingTest, OtherFilesAreRefused) {
  EXPECT_EQ(Replayer::open(folder + "/none").error().errno_value(), ENOENT);
  EXPECT_FALSE(Replayer::open(folder));
  std::ofstream(path) << "not a recording at all";
  EXPECT_NE(Replayer::open(path).error().what().find("is not a recording"), std::string::npos);
  std::ofstream(path) << std::string("RGEVENTS\x02\0\0\0\0\0\0\0", 16);
  EXPECT_NE(Replayer::open(path).error().what().find("has version 2, this raceguard reads version 1"),
            std::string::npos);
}

}  // namespace
}  // namespace raceguard::events
