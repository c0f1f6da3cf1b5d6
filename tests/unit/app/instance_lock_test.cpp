// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace raceguard::app {
namespace {

class InstanceLockTest : public testing::Test {
 protected:
  InstanceLockTest() {
    std::string pattern = testing::TempDir() + "rg-lock.XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~InstanceLockTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(InstanceLockTest, ASecondOneIsToldWhoHoldsIt) {
  const auto first = InstanceLock::take(folder_ / "run");
  ASSERT_TRUE(first) << first.error().to_string();
  const auto second = InstanceLock::take(folder_ / "run");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyRunning);
  EXPECT_NE(second.error().what().find(std::to_string(getpid())), std::string::npos) << second.error().what();
}

TEST_F(InstanceLockTest, TheEndRemovesTheFileAndFreesTheName) {
  { ASSERT_TRUE(InstanceLock::take(folder_)); }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "raceguardd.lock"));
  EXPECT_TRUE(InstanceLock::take(folder_));
}

TEST_F(InstanceLockTest, AKilledHolderLeavesNoLock) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto held = InstanceLock::take(folder_);
    raise(SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "raceguardd.lock"));  // the file stays, the lock does not
  EXPECT_TRUE(InstanceLock::take(folder_));
}

TEST_F(InstanceLockTest, AFolderThatCannotBeMadeIsAnErrorWithARemedy) {
  const auto held = InstanceLock::take("/proc/raceguard");
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code(), ErrorCode::kDaemonSetup);
  EXPECT_NE(held.error().remedy().find("run_directory"), std::string::npos);
}

}  // namespace
}  // namespace raceguard::app
