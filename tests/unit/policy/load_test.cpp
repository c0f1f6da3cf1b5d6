// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/policy/policy_texts.h"

namespace raceguard::policy {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Load : public ::testing::Test {
 protected:
  Load() {
    std::string pattern = fs::temp_directory_path() / "raceguard-policy-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~Load() override { fs::remove_all(root_); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << "apiVersion: raceguard/v1\n" << text;
    return root_ / name;
  }
  static std::string guard(const std::string& name, const std::string& more = "") {
    return "policies:\n  - name: " + name + "\n    target: {comm: x}\n" + more;
  }

  fs::path root_;
};

TEST_F(Load, FilesAndDropInsInOrder) {
  const fs::path main = write("main.yaml", "daemon: {tick: 50ms}\n" + guard("first"));
  write("conf.d/20-c.yaml", guard("third"));
  write("conf.d/10-b.yaml", guard("second"));
  write("conf.d/30-d.yaml.bak", "broken");
  write("conf.d/README", "broken");
  const auto policy = load_policy({main, root_ / "conf.d"});
  ASSERT_TRUE(policy) << policy.error().to_string();
  ASSERT_EQ(policy->guards.size(), 3U);
  EXPECT_EQ(policy->guards[0].name, "first");
  EXPECT_EQ(policy->guards[1].name, "second");
  EXPECT_EQ(policy->guards[2].name, "third");
  EXPECT_EQ(policy->guards[1].position.file, (root_ / "conf.d/10-b.yaml").string());
  EXPECT_EQ(policy->daemon.tick_ns, 50'000'000);
}

TEST_F(Load, AFileNamedTwiceIsReadOnce) {
  const fs::path file = write("conf.d/a.yaml", guard("a"));
  fs::create_symlink(file, root_ / "link.yaml");
  const auto policy = load_policy({file, root_ / "conf.d", root_ / "link.yaml"});
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_EQ(policy->guards.size(), 1U);
}

TEST_F(Load, NamesAreUniqueOverFilesAndBothPlacesAreNamed) {
  const std::string entries =
      "    functions: [{symbol: f}]\n    switches: [{name: s, open_when: {lock_wait_p99: 1ms}}]\n";
  const fs::path a = write("a.yaml", guard("x", entries));
  const fs::path b = write("b.yaml", guard("x", entries));
  const auto policy = load_policy({a, b});
  ASSERT_FALSE(policy);
  const std::string text = policy.error().to_string();
  EXPECT_EQ(policy.error().list().size(), 3U) << text;
  EXPECT_THAT(text, HasSubstr(b.string() + ":3:11: policy \"x\" again (before at " + a.string() + ":3:11)"));
  EXPECT_THAT(text, HasSubstr(b.string() + ":5:26: function \"f\" again (before at " + a.string() + ":5:26)"));
  EXPECT_THAT(text, HasSubstr(b.string() + ":6:23: switch \"s\" again (before at " + a.string() + ":6:23)"));
}

TEST_F(Load, TheDaemonSectionStandsInOneFile) {
  const fs::path a = write("a.yaml", "daemon: {tick: 50ms}\n");
  const fs::path b = write("b.yaml", "daemon: {max_locks: 50}\n");
  const auto policy = load_policy({a, b});
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().to_string(), b.string() + ":2:1: section \"daemon\" again (before at " + a.string() +
                                            ":2:1), expected it in one file only. Move its keys into one file "
                                            "[RG-P104]\n");
}

TEST_F(Load, OneBadFileYieldsNothingAndAllErrorsOfAllFiles) {
  const fs::path a = write("a.yaml", "tick: 1\n");
  const fs::path b = write("b.yaml", "tock: 1\n");
  const fs::path c = write("c.yaml", guard("c"));
  const auto policy = load_policy({a, b, c});
  ASSERT_FALSE(policy);
  EXPECT_EQ(policy.error().list().size(), 2U);
}

TEST_F(Load, WhatCannotBeRead) {
  const auto missing = load_policy({root_ / "none.yaml"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().list()[0].error.code(), ErrorCode::kPolicyUnreadable);
  EXPECT_THAT(missing.error().to_string(), HasSubstr("none.yaml: cannot be read, expected a policy file: ENOENT"));

  ASSERT_EQ(::mkfifo((root_ / "fifo.yaml").c_str(), 0600), 0);
  const auto fifo = load_policy({root_});
  ASSERT_FALSE(fifo) << "and it does not wait for a writer";
  EXPECT_THAT(fifo.error().to_string(), HasSubstr("fifo.yaml: not a regular file"));
}

TEST_F(Load, NothingIsAPolicyOfDefaults) {
  const auto policy = load_policy({root_});
  ASSERT_TRUE(policy) << policy.error().to_string();
  EXPECT_TRUE(policy->guards.empty());
}

TEST(SystemUser, RootIsZero) {
  EXPECT_EQ(system_user("root"), std::optional<uid_t>(0));
  EXPECT_FALSE(system_user("no-such-user-here"));
}

}  // namespace
}  // namespace raceguard::policy
