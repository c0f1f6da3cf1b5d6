// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/snapshot_source.h"

#include <gtest/gtest.h>

#include "daemon/export/snapshot.h"

namespace raceguard::exporting {
namespace {

TEST(SnapshotSource, TellsWhetherTheNewestWasRead) {
  SnapshotSource source;
  EXPECT_EQ(source.get(), nullptr);
  EXPECT_TRUE(source.was_read()) << "somebody wants the first one";
  const auto first = std::make_shared<const Snapshot>();
  source.publish(first);
  EXPECT_FALSE(source.was_read());
  EXPECT_EQ(source.get(), first);
  EXPECT_TRUE(source.was_read());
  source.publish(std::make_shared<const Snapshot>());
  EXPECT_FALSE(source.was_read());
}

}  // namespace
}  // namespace raceguard::exporting
