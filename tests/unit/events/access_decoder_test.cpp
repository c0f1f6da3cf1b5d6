// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/access_decoder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <vector>

#include "daemon/events/names.h"
#include "daemon/targets/process_reader.h"

extern "C" {
extern long rg_test_counter;
void rg_test_increment();
extern const char rg_test_behind_increment[];
extern const char rg_test_behind_load[];
extern const char rg_test_behind_locked[];
extern const char rg_test_end[];
}
// The last access ends its function: the byte behind it belongs to the next one.
__asm__(
    ".data\n.globl rg_test_counter\nrg_test_counter: .quad 0\n.text\n"
    ".globl rg_test_increment\n.type rg_test_increment, @function\nrg_test_increment:\n.cfi_startproc\n"
    "incq rg_test_counter(%rip)\n.globl rg_test_behind_increment\nrg_test_behind_increment:\n"
    "mov rg_test_counter(%rip), %rax\n.globl rg_test_behind_load\nrg_test_behind_load:\n"
    "lock addl $1, rg_test_counter(%rip)\n.globl rg_test_behind_locked\nrg_test_behind_locked:\n"
    "ret\n"
    "movq $1, rg_test_counter(%rip)\n.globl rg_test_end\nrg_test_end:\n"
    ".cfi_endproc\n.size rg_test_increment, .-rg_test_increment\n"
    ".globl rg_test_next\n.type rg_test_next, @function\nrg_test_next:\n.cfi_startproc\nret\n.cfi_endproc\n"
    ".size rg_test_next, .-rg_test_next\n");

namespace raceguard::events {
namespace {

class OwnMappings final : public MappingSource {
 public:
  std::span<const targets::MappedBinary> mappings(pid_t) override { return binaries_; }
  bool refresh(pid_t) override { return false; }

 private:
  static std::vector<targets::MappedBinary> own() {
    const targets::ProcessReader reader("/proc");
    return reader.read_binaries(reader.read_identity(::getpid()).value().id).value();
  }
  std::vector<targets::MappedBinary> binaries_ = own();
};

rg_record_access record_at(const void* ip) {
  rg_record_access record{};
  record.type = RG_RECORD_ACCESS;
  record.role = RG_ACCESS_HELD;
  record.time_ns = 1000;
  record.generation = 7;
  record.pair = 11;
  record.ip = std::bit_cast<std::uintptr_t>(ip);
  record.registers[kInstructionRegister] = record.ip;
  record.held_ns = 500;
  record.overlaps = 1;
  record.seen = 3;
  record.slot = 2;
  record.tgid = static_cast<rg_u32>(::getpid());
  record.tid = 42;
  record.lock_states = RG_LOCK_IS_TAKEN << 2 | RG_LOCK_IS_MINE;
  return record;
}

std::vector<std::byte> bytes_of(const rg_record_access& record) {
  std::vector<std::byte> bytes(RG_ACCESS_HEADER_BYTES + record.stack_bytes);
  std::memcpy(bytes.data(), &record, bytes.size());
  return bytes;
}

class Accesses : public testing::Test {
 protected:
  AccessEvent decode(const rg_record_access& record) { return decoder_.decode(bytes_of(record)).value(); }

  OwnMappings mappings_;
  symbols::Resolver resolver_;
  ResolverSymboliser symboliser_{resolver_};
  AccessDecoder decoder_{mappings_, symboliser_, resolver_};
};

TEST_F(Accesses, TheInstructionInFrontOfTheAddressIsTheInnermostFrame) {
  const AccessEvent event = decode(record_at(rg_test_behind_increment));
  EXPECT_EQ(event.role, RG_ACCESS_HELD);
  EXPECT_EQ(event.generation, 7U);
  EXPECT_EQ(event.pair, 11U);
  EXPECT_EQ(event.held_ns, 500);
  EXPECT_EQ(event.overlaps, 1U);
  EXPECT_EQ(event.seen, 3U);
  EXPECT_EQ(event.slot, 2U);
  EXPECT_EQ(event.tid, 42);
  EXPECT_EQ(event.lock_states[0], RG_LOCK_IS_MINE);
  EXPECT_EQ(event.lock_states[1], RG_LOCK_IS_TAKEN);
  EXPECT_EQ(event.lock_states[2], RG_LOCK_IS_FREE);
  ASSERT_TRUE(event.instruction);
  ASSERT_EQ(event.instruction->accesses.size(), 1U);
  EXPECT_EQ(event.instruction->accesses[0].mode, symbols::AccessMode::kUpdate);
  ASSERT_EQ(event.stack.frames.size(), 1U);
  EXPECT_EQ(event.stack.frames[0].function, "rg_test_increment");
  EXPECT_EQ(event.stack.frames[0].function_offset, 0U);
  EXPECT_EQ(event.stack.frames[0].address, event.instruction->address);
  EXPECT_EQ(event.stack.reliable_frames, 1U);
}

TEST_F(Accesses, AnAccessAtTheEndOfItsFunctionIsNotTheNextOnes) {
  const AccessEvent event = decode(record_at(rg_test_end));
  EXPECT_EQ(event.stack.frames.at(0).function, "rg_test_increment") << "whether its instruction is known or not";
}

TEST_F(Accesses, CodeOutsideOfAllFilesHasNoInstruction) {
  const AccessEvent event = decode(record_at(std::bit_cast<const void*>(std::uintptr_t{0x1000})));
  EXPECT_FALSE(event.instruction);
  ASSERT_EQ(event.stack.frames.size(), 1U);
  EXPECT_EQ(event.stack.frames[0].address, 0x1000U);
  EXPECT_EQ(event.stack.reliable_frames, 0U);
  EXPECT_EQ(decoder_.counters().without_instruction, 1U);
}

TEST_F(Accesses, ModesTellWhichOverlapsAreHarmless) {
  EXPECT_EQ(access_mode_of(*decode(record_at(rg_test_behind_load)).instruction), RG_ACCESS_MODE_READ);
  EXPECT_EQ(access_mode_of(*decode(record_at(rg_test_behind_locked)).instruction), RG_ACCESS_MODE_ATOMIC);
  EXPECT_EQ(access_mode_of(*decode(record_at(rg_test_behind_increment)).instruction), RG_ACCESS_MODE_UNKNOWN);
  EXPECT_EQ(access_mode_of(symbols::AccessInstruction{}), RG_ACCESS_MODE_UNKNOWN);
}

TEST_F(Accesses, MalformedRecordsAreRefusedAndCounted) {
  const auto good = bytes_of(record_at(rg_test_end));
  std::uint64_t refused = 0;
  const auto refuses = [&](auto&& spoil) {
    rg_record_access record = record_at(rg_test_end);
    spoil(record);
    auto bytes = good;
    std::memcpy(bytes.data(), &record, bytes.size());
    const auto event = decoder_.decode(bytes);
    return !event && event.error().code() == ErrorCode::kEventMalformed && decoder_.counters().malformed == ++refused;
  };
  EXPECT_TRUE(refuses([](auto& record) { record.type = RG_RECORD_STACK; }));
  EXPECT_TRUE(refuses([](auto& record) { record.role = 0; }));
  EXPECT_TRUE(refuses([](auto& record) { record.role = RG_ACCESS_LOCK_BROKEN + 1; }));
  EXPECT_TRUE(refuses([](auto& record) { record.slot = RG_WATCH_SLOTS; }));
  EXPECT_TRUE(refuses([](auto& record) { record.lock = RG_CANDIDATE_LOCKS; }));
  EXPECT_TRUE(refuses([](auto& record) { record.frame_count = RG_FRAME_POINTER_DEPTH + 1; }));
  EXPECT_TRUE(refuses([](auto& record) { record.stack_bytes = 8; })) << "more than there is";
  EXPECT_FALSE(decoder_.decode(std::span(good).first(good.size() - 1)));
  EXPECT_FALSE(decoder_.decode({}));
  EXPECT_TRUE(decoder_.decode(good));
}

}  // namespace
}  // namespace raceguard::events
