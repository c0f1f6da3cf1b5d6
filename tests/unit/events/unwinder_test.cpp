// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/unwinder.h"

#include <gtest/gtest.h>

#include "tests/unit/events/blocked_thread.h"

namespace raceguard::events {
namespace {

constexpr std::uint64_t kLongestCaller = 256;  // bytes; inner, middle and outer are far shorter

// The place in the chain where inner, middle, outer follow one another, each left by a call; npos: they do not.
std::size_t find_callers(const UnwoundStack& stack, const std::vector<std::uint64_t>& callers) {
  const auto lies_in = [](const Frame& frame, std::uint64_t function) {
    return frame.is_return_address && frame.ip > function && frame.ip < function + kLongestCaller;
  };
  for (std::size_t i = 0; i + callers.size() <= stack.frames.size(); ++i) {
    bool all = true;
    for (std::size_t k = 0; k < callers.size(); ++k) {
      // The innermost caller whose start lies before the address: the functions stand close together.
      all = all && lies_in(stack.frames[i + k], callers[k]);
      for (std::size_t other = 0; other < callers.size() && all; ++other) {
        all = callers[other] <= callers[k] || callers[other] > stack.frames[i + k].ip;
      }
    }
    if (all) {
      return i;
    }
  }
  return std::string::npos;
}

StackRecord stack_record(const std::vector<std::byte>& raw) { return std::get<StackRecord>(decode(raw).value()); }

struct Case {
  const char* variant;
  const char* mode;
};

class UnwindsToTheBottom : public ::testing::TestWithParam<Case> {};

TEST_P(UnwindsToTheBottom, ThroughTheKnownCallers) {
  const BlockedThread thread(blocker_program(GetParam().variant), GetParam().mode);
  const auto raw = thread.record();
  Unwinder unwinder;
  const UnwoundStack stack = unwinder.unwind(stack_record(raw), thread.mappings());
  EXPECT_EQ(stack.trust, StackTrust::kUnwound);
  EXPECT_TRUE(stack.complete) << "clone3 is the bottom, glibc says so by an undefined return address";
  EXPECT_EQ(stack.reliable_frames, stack.frames.size());
  const std::size_t at = find_callers(stack, thread.callers());
  ASSERT_NE(at, std::string::npos);
  EXPECT_GE(at, 2U) << "the wait in libc and the lambda that blocks are inside";
  EXPECT_EQ(stack.frames.size(), at + 3 + 3) << "thread_main, start_thread and clone3 are outside";
  for (const Frame& frame : stack.frames) {
    ASSERT_NE(frame.binary, nullptr);
  }
  EXPECT_NE(stack.frames.front().binary->path.find("libc.so"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Waits, UnwindsToTheBottom,
                         ::testing::Values(Case{"stripped", "mutex"}, Case{"stripped", "rwlock"},
                                           Case{"stripped", "std_mutex"}, Case{"stripped", "cond"},
                                           Case{"stripped", "std_cond"}, Case{"stripped", "sem"},
                                           Case{"frame_pointers", "mutex"}, Case{"frame_pointers", "cond"}),
                         [](const auto& run) { return std::string(run.param.variant) + "_" + run.param.mode; });

TEST(Unwinder, AShortCopyGivesTheInnerFramesAndSaysThatThereAreMore) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  const auto raw = thread.record(256);
  Unwinder unwinder;
  const UnwoundStack stack = unwinder.unwind(stack_record(raw), thread.mappings());
  EXPECT_EQ(stack.trust, StackTrust::kUnwound);
  EXPECT_FALSE(stack.complete);
  EXPECT_GE(stack.frames.size(), 2U);
}

TEST(Unwinder, WithoutACopyFramePointersAreTakenWhereEachFollowsACall) {
  const BlockedThread thread(blocker_program("frame_pointers"), "mutex");
  const auto raw = thread.record(0);
  Unwinder unwinder;
  StackRecord record = stack_record(raw);
  // glibc's own functions have no frame pointers: the chain of rbp starts with the program's.
  ASSERT_GE(record.frame_pointer_ips.size(), 3U);
  record.frame_pointer_ips.resize(3);
  const UnwoundStack stack = unwinder.unwind(record, thread.mappings());
  EXPECT_EQ(stack.trust, StackTrust::kFramePointers);
  EXPECT_EQ(stack.frames.size(), 3U);
  record.frame_pointer_ips[1] += 1;
  EXPECT_EQ(unwinder.unwind(record, thread.mappings()).trust, StackTrust::kUntrusted) << "no call ends there";
}

// A return address, wherever it lies in the copy of the stack.
void overwrite(std::vector<std::byte>& raw, std::uint64_t address, std::uint64_t by) {
  for (std::size_t offset = RG_STACK_HEADER_BYTES; offset + sizeof(address) <= raw.size(); offset += sizeof(address)) {
    if (std::memcmp(raw.data() + offset, &address, sizeof(address)) == 0) {
      std::memcpy(raw.data() + offset, &by, sizeof(by));
    }
  }
}

TEST(Unwinder, AFunctionWithAReturnProbeEndsTheStackAndKeepsItTrusted) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  auto raw = thread.record();
  Unwinder unwinder;
  const UnwoundStack good = unwinder.unwind(stack_record(raw), thread.mappings());
  const std::size_t at = find_callers(good, thread.callers());
  ASSERT_NE(at, std::string::npos);
  overwrite(raw, good.frames.at(at + 1).ip, 0x7fffffffe000);  // as the kernel does at the entry of a probed function
  const UnwoundStack probed = unwinder.unwind(stack_record(raw), thread.mappings());
  EXPECT_EQ(probed.trust, StackTrust::kUnwound);
  EXPECT_FALSE(probed.complete);
  EXPECT_EQ(probed.frames.size(), at + 1) << "inner is the last frame";
  EXPECT_EQ(probed.reliable_frames, at + 1);
}

TEST(Unwinder, AStackWithAWrongReturnAddressIsUntrustedFromThereOn) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  auto raw = thread.record();
  Unwinder unwinder;
  const UnwoundStack good = unwinder.unwind(stack_record(raw), thread.mappings());
  const std::size_t at = find_callers(good, thread.callers());
  ASSERT_NE(at, std::string::npos);
  overwrite(raw, good.frames.at(at + 1).ip, 0x1234);
  const UnwoundStack bad = unwinder.unwind(stack_record(raw), thread.mappings());
  EXPECT_EQ(bad.trust, StackTrust::kUntrusted);
  EXPECT_EQ(bad.reliable_frames, at + 1) << "inner is the last good frame";
  EXPECT_EQ(bad.frames.size(), at + 2);
}

TEST(Unwinder, EachFrameHasItsRegisters) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  const auto raw = thread.record();
  Unwinder unwinder;
  std::vector<Registers> registers;
  const UnwoundStack stack = unwinder.unwind(stack_record(raw), thread.mappings(), registers);
  ASSERT_NE(find_callers(stack, thread.callers()), std::string::npos);
  ASSERT_EQ(registers.size(), stack.frames.size());
  EXPECT_EQ(registers[0], stack_record(raw).registers);
  for (std::size_t i = 1; i < registers.size(); ++i) {
    EXPECT_EQ(registers[i][kInstructionRegister], stack.frames[i].ip);
    EXPECT_GT(registers[i][kStackPointerRegister], registers[i - 1][kStackPointerRegister]);
  }
}

TEST(Unwinder, WithoutMappingsNothingIsTrusted) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  const auto raw = thread.record();
  Unwinder unwinder;
  const UnwoundStack stack = unwinder.unwind(stack_record(raw), {});
  EXPECT_EQ(stack.trust, StackTrust::kUntrusted);
  EXPECT_EQ(stack.reliable_frames, 0U);
}

TEST(Unwinder, ABinaryThatIsAnotherFileByNowIsNotRead) {
  const BlockedThread thread(blocker_program("stripped"), "mutex");
  const auto raw = thread.record();
  std::vector<targets::MappedBinary> mappings = thread.mappings();
  for (targets::MappedBinary& mapping : mappings) {
    mapping.inode += 1;
  }
  Unwinder unwinder;
  EXPECT_EQ(unwinder.unwind(stack_record(raw), mappings).trust, StackTrust::kUntrusted);
}

TEST(FrameInfoCache, GivesUpTheFileThatWasNotUsedForLongest) {
  const BlockedThread thread(blocker_program("stripped"), "std_cond");
  ASSERT_GE(thread.mappings().size(), 3U);
  FrameInfoCache cache({.files = 2, .bytes = 1U << 30U});
  for (const targets::MappedBinary& mapping : thread.mappings()) {
    EXPECT_NE(cache.find(mapping), nullptr) << mapping.path;
    EXPECT_LE(cache.files(), 2U);
  }
  FrameInfoCache small({.files = 10, .bytes = 1});
  (void)small.find(thread.mappings()[0]);
  (void)small.find(thread.mappings()[1]);
  EXPECT_EQ(small.files(), 1U) << "the one in use stays, however big";
}

}  // namespace
}  // namespace raceguard::events
