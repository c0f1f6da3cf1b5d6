// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/thread_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace raceguard::targets {
namespace {

TEST(BlockedCall, HasArgumentsStackAndInstruction) {
  const auto call = parse_blocked_call("202 0x7f00 0x80 0x2 0x0 0x5 0x6 0x7ffe10 0x7f1234\n");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->number, 202U);
  EXPECT_THAT(call->arguments, testing::ElementsAre(0x7f00, 0x80, 2, 0, 5, 6));
  EXPECT_EQ(call->stack_pointer, 0x7ffe10U);
  EXPECT_EQ(call->instruction, 0x7f1234U);
}

TEST(BlockedCall, NoneForAThreadThatRunsOrSleepsElsewhere) {
  EXPECT_FALSE(parse_blocked_call("running\n"));
  EXPECT_FALSE(parse_blocked_call("-1 0x7ffe10 0x7f1234\n"));
  EXPECT_FALSE(parse_blocked_call("202 0x7f00 0x80\n"));
  EXPECT_FALSE(parse_blocked_call(""));
}

TEST(OwnTid, IsTheInnermostNamespaces) {
  EXPECT_EQ(parse_own_tid("Name:\tNSpid:\nPid:\t812\nNSpid:\t812\nNSsid:\t9\n"), 812);
  EXPECT_EQ(parse_own_tid("Name:\tx\nNSpid:\t812\t40\t12\nNSsid:\t9\n"), 12);
  EXPECT_FALSE(parse_own_tid("Name:\tx\nPid:\t812\n"));
}

TEST(Switches, AreTheirOwnAndOthersTogether) {
  EXPECT_EQ(parse_switches("Name:\tx\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n"), 42U);
  EXPECT_FALSE(parse_switches("Name:\tx\nnonvoluntary_ctxt_switches:\t2\n"));
}

TEST(ThreadReader, ReadsThisThread) {
  const ThreadReader reader("/proc");
  EXPECT_TRUE(reader.switches(getpid(), gettid()));
  EXPECT_EQ(reader.own_tid(getpid(), gettid()), gettid());
  EXPECT_EQ(reader.shares_numbers(getpid()), true);
  EXPECT_THAT(reader.list(getpid()).value(), testing::Contains(gettid()));
  EXPECT_EQ(reader.stat(getpid(), gettid())->state, 'R');
  EXPECT_EQ(reader.stat(getpid(), 0).error().code(), ErrorCode::kTargetGone);
  const auto call = reader.blocked_call(getpid(), gettid());
  ASSERT_TRUE(call && *call);
  EXPECT_EQ((*call)->number, static_cast<std::uint64_t>(SYS_read)) << "of that very file";
}

}  // namespace
}  // namespace raceguard::targets
