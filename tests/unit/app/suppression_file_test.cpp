// SPDX-License-Identifier: Apache-2.0
#include "daemon/suppression_file.h"

#include <gtest/gtest.h>

#include "daemon/detect/suppressions.h"
#include "tests/support/scratch.h"

namespace raceguard::app {
namespace {

using raceguard::testing::read_text;
using raceguard::testing::ScratchFolder;
using raceguard::testing::write_text;

TEST(SuppressionFile, IsMadeWithItsFirstLine) {
  const ScratchFolder folder;
  const std::string path = folder.path() / "races.supp";
  ASSERT_TRUE(append_suppression(path, "1f0c: known", "race:^hits$"));
  EXPECT_EQ(read_text(path), "# 1f0c: known\nrace:^hits$\n");
  EXPECT_EQ(detect::Suppressions::read(path)->size(), 1U);
}

TEST(SuppressionFile, KeepsWhatStandsThereAndEndsItsLastLine) {
  const ScratchFolder folder;
  const std::string path = folder.path() / "races.supp";
  write_text(path, "race:^old$");
  ASSERT_TRUE(append_suppression(path, "a", "race:^new$"));
  EXPECT_EQ(read_text(path), "race:^old$\n# a\nrace:^new$\n");
}

TEST(SuppressionFile, ACommentStaysOne) {
  const ScratchFolder folder;
  const std::string path = folder.path() / "races.supp";
  ASSERT_TRUE(append_suppression(path, "a symbol\nrace:*", "race:^new$"));
  EXPECT_EQ(detect::Suppressions::read(path)->size(), 1U);
}

TEST(SuppressionFile, SaysWhereItCannotWrite) {
  const auto failed = append_suppression("/nonexistent/races.supp", "a", "race:b");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kSuppressionFile);
  EXPECT_NE(failed.error().what().find("/nonexistent/races.supp"), std::string::npos);
}

}  // namespace
}  // namespace raceguard::app
