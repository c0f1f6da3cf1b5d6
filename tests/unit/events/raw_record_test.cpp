// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/raw_record.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/events/raw_bytes.h"

namespace raceguard::events {
namespace {

TEST(RawRecord, AProcessRecordIsTakenAsItIs) {
  rg_record_process record = raw::process(RG_PROCESS_FORK, 42);
  record.parent_tgid = 41;
  std::fill(std::begin(record.comm), std::end(record.comm), 'x');
  const auto decoded = decode(raw::bytes(record));
  ASSERT_TRUE(decoded);
  const auto& process = std::get<rg_record_process>(*decoded);
  EXPECT_EQ(process.tgid, 42U);
  EXPECT_EQ(process.parent_tgid, 41U);
  EXPECT_EQ(std::string(process.comm), std::string(RG_COMM_LEN - 1, 'x')) << "ends, whatever the kernel wrote";
}

TEST(RawRecord, ATrimmedStackRecordIsWhole) {
  rg_record_stack record = raw::stack(RG_STACK_WAITER, 0x5000);
  record.frame_count = 2;
  record.frame_pointer_ips[1] = 0x77;
  record.stack_bytes = 3;
  record.stack[2] = 9;
  record.registers[kInstructionRegister] = 0x99;
  const auto trimmed = raw::bytes(record);
  ASSERT_EQ(trimmed.size(), RG_STACK_HEADER_BYTES + 3);
  const auto decoded = decode(trimmed);
  ASSERT_TRUE(decoded);
  const auto& stack = std::get<StackRecord>(*decoded);
  EXPECT_EQ(stack.address, 0x5000U);
  EXPECT_EQ(stack.registers[kInstructionRegister], 0x99U);
  ASSERT_EQ(stack.frame_pointer_ips.size(), 2U);
  EXPECT_EQ(stack.frame_pointer_ips[1], 0x77U);
  ASSERT_EQ(stack.stack.size(), 3U);
  EXPECT_EQ(stack.stack[2], std::byte{9});
}

TEST(RawRecord, EveryCutOfARecordIsMalformed) {
  rg_record_stack stack = raw::stack(RG_STACK_HOLDER, 1);
  stack.stack_bytes = 64;
  for (const auto& whole : {raw::bytes(stack), raw::bytes(raw::process(RG_PROCESS_EXEC, 1))}) {
    ASSERT_TRUE(decode(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto decoded = decode(std::span(whole).first(size));
      ASSERT_FALSE(decoded) << size;
      EXPECT_EQ(decoded.error().code(), ErrorCode::kEventMalformed);
    }
  }
}

TEST(RawRecord, UnknownNumbersAreMalformed) {
  const auto refused = [](auto record, auto change) {
    change(record);
    std::vector<std::byte> bytes(sizeof record);
    std::memcpy(bytes.data(), &record, sizeof record);
    return !decode(bytes);
  };
  const rg_record_stack stack = raw::stack(RG_STACK_WAITER, 1);
  EXPECT_FALSE(refused(stack, [](auto&) {}));
  EXPECT_TRUE(refused(stack, [](auto& r) { r.type = 3; }));
  EXPECT_TRUE(refused(stack, [](auto& r) { r.role = 0; }));
  EXPECT_TRUE(refused(stack, [](auto& r) { r.wait_class = 2; }));
  EXPECT_TRUE(refused(stack, [](auto& r) { r.frame_count = RG_FRAME_POINTER_DEPTH + 1; }));
  EXPECT_TRUE(refused(stack, [](auto& r) { r.stack_bytes = RG_STACK_COPY_MAX_BYTES + 1; }));
  EXPECT_TRUE(refused(raw::process(RG_PROCESS_EXIT, 1), [](auto& r) { r.event = 4; }));
}

}  // namespace
}  // namespace raceguard::events
