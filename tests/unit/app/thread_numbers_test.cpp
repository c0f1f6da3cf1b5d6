// SPDX-License-Identifier: Apache-2.0
// A process in a pid namespace, in a fake /proc.
#include "daemon/thread_numbers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/scratch.h"

namespace raceguard::app {
namespace {

namespace fs = std::filesystem;

class ThreadNumbersTest : public ::testing::Test {
 protected:
  ThreadNumbersTest() {
    write("self/ns/pid", "");
    write("800/ns/pid", "");
    add_thread(800, 1);
    add_thread(812, 12);
  }
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root_.path() / path).parent_path());
    std::ofstream(root_.path() / path) << text;
  }
  void add_thread(pid_t tid, pid_t own_tid, char state = 'S') const {
    write(fmt::format("800/task/{}/status", tid), fmt::format("Name:\tx\nNSpid:\t{}\t{}\n", tid, own_tid));
    write(fmt::format("800/task/{}/stat", tid),
          fmt::format("{} (x) {} 7 812 812 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99887766 1 2 3\n", tid, state));
  }
  void end_thread(pid_t tid) const { fs::remove_all(root_.path() / fmt::format("800/task/{}", tid)); }
  void share_namespace() const {
    fs::remove(root_.path() / "800/ns/pid");
    fs::create_hard_link(root_.path() / "self/ns/pid", root_.path() / "800/ns/pid");
  }

  raceguard::testing::ScratchFolder root_;
  targets::ThreadReader threads_{root_.path()};
  ThreadNumbers numbers_{threads_};
};

TEST_F(ThreadNumbersTest, AContainersNumbersAreTranslated) {
  EXPECT_EQ(numbers_.find(800, 12), 812);
  EXPECT_EQ(numbers_.find(800, 1), 800);
  EXPECT_EQ(numbers_.find(800, 812), 0) << "the kernel's number means nothing there";
}

TEST_F(ThreadNumbersTest, InTheSameNamespaceTheyAreTheKernels) {
  share_namespace();
  EXPECT_EQ(numbers_.find(800, 812), 812);
  EXPECT_EQ(numbers_.find(800, 12), 0);
}

TEST_F(ThreadNumbersTest, AThreadThatEndedIsNone) {
  EXPECT_EQ(numbers_.find(800, 12), 812);
  end_thread(812);
  EXPECT_EQ(numbers_.find(800, 12), 812) << "asked once a reading";
  numbers_.begin_reading();
  EXPECT_EQ(numbers_.find(800, 12), 0);
  add_thread(800, 1, 'Z');
  EXPECT_EQ(numbers_.find(800, 1), 0) << "the first thread stays as a zombie";
}

TEST_F(ThreadNumbersTest, ANewThreadIsFoundInTheNextReading) {
  EXPECT_EQ(numbers_.find(800, 13), 0);
  add_thread(813, 13);
  EXPECT_EQ(numbers_.find(800, 13), 0) << "listed once a reading";
  numbers_.begin_reading();
  EXPECT_EQ(numbers_.find(800, 13), 813);
}

TEST_F(ThreadNumbersTest, AProcessThatCannotBeReadTellsNothing) { EXPECT_EQ(numbers_.find(900, 12), std::nullopt); }

TEST_F(ThreadNumbersTest, AForgottenPidMayBeInAnotherNamespaceNext) {
  EXPECT_EQ(numbers_.find(800, 12), 812);
  share_namespace();
  numbers_.keep({800});
  EXPECT_EQ(numbers_.find(800, 12), 812);
  numbers_.keep({});
  EXPECT_EQ(numbers_.find(800, 12), 0);
}

}  // namespace
}  // namespace raceguard::app
