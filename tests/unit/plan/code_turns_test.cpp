// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/code_turns.h"

#include <gtest/gtest.h>

#include <map>

namespace raceguard::plan {
namespace {

TEST(CodeTurns, InstructionsTakeTurns) {
  CodeTurns turns;
  EXPECT_FALSE(turns.next());
  EXPECT_FALSE(turns.see(0x100)) << "not known yet";
  turns.add(0x100, {0x101, 0x102, 0x103});
  EXPECT_TRUE(turns.see(0x100));
  EXPECT_EQ(turns.next(), 0x101U);
  EXPECT_EQ(turns.next(), 0x102U);
  EXPECT_EQ(turns.next(), 0x103U);
  EXPECT_EQ(turns.next(), 0x101U);
}

TEST(CodeTurns, HotFunctionsComeMoreOftenAndColdOnesStillCome) {
  CodeTurns turns;
  turns.add(0x100, {0x101});
  turns.add(0x200, {0x201});
  for (int i = 0; i < 8; ++i) {
    turns.see(0x200);
  }
  std::map<std::uint64_t, int> count;
  for (int i = 0; i < 20; ++i) {
    ++count[turns.next().value()];
  }
  EXPECT_GT(count[0x201], 3 * count[0x101]);
  EXPECT_GE(count[0x101], 1);
}

TEST(CodeTurns, WhatIsKnownHasNoTurn) {
  CodeTurns turns;
  turns.add(0x100, {0x101, 0x102});
  turns.add(0x200, {});
  turns.know(0x101);
  EXPECT_EQ(turns.next(), 0x102U);
  EXPECT_EQ(turns.next(), 0x102U);
  turns.know(0x102);
  EXPECT_FALSE(turns.next());
}

TEST(CodeTurns, TheLeastSeenMakesRoom) {
  CodeTurns turns(2);
  turns.add(0x100, {0x101});
  turns.add(0x200, {0x201});
  turns.see(0x100);
  turns.add(0x300, {0x301});
  EXPECT_EQ(turns.functions(), 2U);
  EXPECT_TRUE(turns.see(0x100));
  EXPECT_FALSE(turns.see(0x200));
}

}  // namespace
}  // namespace raceguard::plan
