// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/access.h"

#include <gmock/gmock.h>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kAddress = 0x1000;

AccessInstruction decoded(std::initializer_list<int> bytes) {
  Bytes code;
  for (const int byte : bytes) {
    code.push_back(static_cast<std::byte>(byte));
  }
  auto instruction = decode_access(code, kAddress);
  if (!instruction) {
    throw std::runtime_error("no instruction");
  }
  return *instruction;
}

MemoryAccess only_access(std::initializer_list<int> bytes) {
  const AccessInstruction instruction = decoded(bytes);
  if (instruction.accesses.size() != 1) {
    throw std::runtime_error(instruction.text + ": " + std::to_string(instruction.accesses.size()) + " accesses");
  }
  return instruction.accesses[0];
}

TEST(DecodeAccess, TellsModeAndWidth) {
  const MemoryAccess store = only_access({0x48, 0x89, 0x44, 0x24, 0x08});  // mov [rsp+8],rax
  EXPECT_EQ(store.mode, AccessMode::kWrite);
  EXPECT_EQ(store.width_bytes, 8);
  EXPECT_EQ(store.where.base, 7);
  EXPECT_EQ(store.where.displacement, 8);
  EXPECT_FALSE(store.atomic);
  const MemoryAccess load = only_access({0x0f, 0xb6, 0x04, 0x8a});  // movzx eax,byte [rdx+rcx*4]
  EXPECT_EQ(load.mode, AccessMode::kRead);
  EXPECT_EQ(load.width_bytes, 1);
  EXPECT_EQ(load.where.base, 1);
  EXPECT_EQ(load.where.index, 2);
  EXPECT_EQ(load.where.scale, 4);
  EXPECT_FALSE(load.where.lost);
  const MemoryAccess update = only_access({0x66, 0x83, 0x03, 0x01});  // add word [rbx],1
  EXPECT_EQ(update.mode, AccessMode::kUpdate);
  EXPECT_EQ(update.width_bytes, 2);
  EXPECT_EQ(only_access({0x83, 0x3b, 0x01}).mode, AccessMode::kRead) << "cmp dword [rbx],1";
  EXPECT_EQ(only_access({0x0f, 0x94, 0x03}).mode, AccessMode::kWrite) << "sete byte [rbx]";
}

TEST(DecodeAccess, TellsAtomicInstructions) {
  EXPECT_TRUE(only_access({0xf0, 0x48, 0x0f, 0xc1, 0x03}).atomic) << "lock xadd [rbx],rax";
  EXPECT_TRUE(only_access({0x87, 0x03}).atomic) << "xchg [rbx],eax: locked without a prefix";
  const MemoryAccess exchange = only_access({0xf0, 0x0f, 0xb1, 0x13});  // lock cmpxchg [rbx],edx
  EXPECT_TRUE(exchange.atomic);
  EXPECT_EQ(exchange.mode, AccessMode::kUpdate);
  EXPECT_FALSE(only_access({0x0f, 0xb1, 0x13}).atomic) << "cmpxchg [rbx],edx";
  const MemoryAccess pair = only_access({0xf0, 0x48, 0x0f, 0xc7, 0x0b});  // lock cmpxchg16b [rbx]
  EXPECT_TRUE(pair.atomic);
  EXPECT_EQ(pair.width_bytes, 16);
  EXPECT_EQ(pair.mode, AccessMode::kUpdate);
}

TEST(DecodeAccess, LeavesOutWhatIsNoDataAccess) {
  EXPECT_TRUE(decoded({0x50}).accesses.empty()) << "push rax";
  EXPECT_TRUE(decoded({0x5b}).accesses.empty()) << "pop rbx";
  EXPECT_TRUE(decoded({0xc3}).accesses.empty()) << "ret";
  EXPECT_TRUE(decoded({0xc9}).accesses.empty()) << "leave";
  EXPECT_TRUE(decoded({0xe8, 0, 0, 0, 0}).accesses.empty()) << "call";
  EXPECT_TRUE(decoded({0x48, 0x8d, 0x43, 0x08}).accesses.empty()) << "lea rax,[rbx+8]";
  EXPECT_TRUE(decoded({0x0f, 0x1f, 0x44, 0, 0}).accesses.empty()) << "nop [rax+rax]";
  EXPECT_TRUE(decoded({0xf3, 0x0f, 0x1e, 0xfa}).accesses.empty()) << "endbr64";
  EXPECT_TRUE(decoded({0x0f, 0x18, 0x0b}).accesses.empty()) << "prefetcht0 [rbx]";
  EXPECT_EQ(only_access({0xff, 0x33}).mode, AccessMode::kRead) << "push qword [rbx]";
  EXPECT_EQ(only_access({0x8f, 0x03}).mode, AccessMode::kWrite) << "pop qword [rbx]";
  EXPECT_EQ(only_access({0xff, 0x13}).mode, AccessMode::kRead) << "call qword [rbx]";
}

TEST(DecodeAccess, TellsStringAndVectorInstructions) {
  const AccessInstruction move = decoded({0xf3, 0xa4});  // rep movsb
  ASSERT_EQ(move.accesses.size(), 2U);
  EXPECT_TRUE(move.accesses[0].string_instruction && move.accesses[1].string_instruction);
  EXPECT_NE(move.accesses[0].mode, move.accesses[1].mode);
  EXPECT_TRUE(move.accesses[0].where.lost) << "rdi and rsi have moved on";
  const MemoryAccess vector = only_access({0xc5, 0xfd, 0x7f, 0x07});  // vmovdqa [rdi],ymm0
  EXPECT_TRUE(vector.vector);
  EXPECT_EQ(vector.width_bytes, 32);
  EXPECT_EQ(vector.mode, AccessMode::kWrite);
  EXPECT_FALSE(vector.string_instruction);
  EXPECT_TRUE(only_access({0xf2, 0x0f, 0x10, 0x07}).vector) << "movsd xmm0,[rdi] is not the string instruction movsd";
  EXPECT_FALSE(only_access({0xf2, 0x0f, 0x10, 0x07}).string_instruction);
  const MemoryAccess gather = only_access({0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x8f});  // vpgatherdd ymm0,[rdi+ymm1*4],ymm2
  EXPECT_TRUE(gather.where.lost);
  EXPECT_EQ(gather.width_bytes, 4);
}

TEST(DecodeAccess, ComputesAddressesFromRegistersBehindTheInstruction) {
  std::vector<std::uint64_t> registers(16);
  registers[1] = 0x7000;                                                  // rdx
  registers[2] = 3;                                                       // rcx
  const MemoryAccess load = only_access({0x0f, 0xb6, 0x44, 0x8a, 0xf0});  // movzx eax,byte [rdx+rcx*4-16]
  EXPECT_EQ(effective_address(load.where, registers, 0x555500000000), 0x7000U + 12 - 16);
  const MemoryAccess relative = only_access({0x8b, 0x05, 0x10, 0, 0, 0});  // mov eax,[rip+0x10]
  EXPECT_EQ(relative.where.displacement, static_cast<std::int64_t>(kAddress + 6 + 0x10));
  EXPECT_EQ(effective_address(relative.where, registers, 0x5000), kAddress + 6 + 0x10 + 0x5000);
  const MemoryAccess followed = only_access({0x48, 0x8b, 0x12});  // mov rdx,[rdx]
  EXPECT_TRUE(followed.where.lost);
  EXPECT_FALSE(effective_address(followed.where, registers, 0));
  EXPECT_TRUE(only_access({0x67, 0x8b, 0x02}).where.lost) << "mov eax,[edx]";
  const MemoryAccess local = only_access({0x64, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0});  // mov eax,fs:[0x10]
  EXPECT_TRUE(local.where.thread_local_segment);
  EXPECT_FALSE(effective_address(local.where, registers, 0));
}

TEST(DecodeAccess, RefusesWhatIsNoInstruction) {
  EXPECT_FALSE(decode_access({}, 0));
  const Bytes cut = {std::byte{0x48}, std::byte{0x8b}};
  EXPECT_FALSE(decode_access(cut, 0));
}

// The same code with symbols and without, dynamic and static.
class AccessBefore : public testing::TestWithParam<const char*> {
 protected:
  ElfFile file = open_program(GetParam());
  bool is_stripped = std::string(GetParam()).ends_with("_stripped");
  ElfFile named = open_program(std::string(GetParam()).starts_with("accesses_static") ? "accesses_static" : "accesses");
  std::uint64_t address(const std::string& name) { return only_function(named, name).address; }
};

TEST_P(AccessBefore, FindsTheInstructionThatEndsThere) {
  const std::uint64_t start = address("writes_behind_endbr");
  const auto store = access_before(file, start + 4 + 6);
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_EQ(store->address, start + 4);
  EXPECT_THAT(store->text, HasSubstr("mov [0x"));
  EXPECT_EQ(store->accesses.at(0).mode, AccessMode::kWrite);
  EXPECT_EQ(file.name_data(static_cast<std::uint64_t>(store->accesses[0].where.displacement)),
            is_stripped ? "" : "cell");
  EXPECT_EQ(function_start(file, start + 5), start);
  EXPECT_FALSE(access_before(file, start + 7)) << "inside the instruction";
  EXPECT_FALSE(access_before(file, start + 4)) << "behind endbr64";
}

TEST_P(AccessBefore, PassesAlignment) {
  const std::uint64_t ret = address("behind_a_table") & ~std::uint64_t{15};
  std::uint64_t found = 0;
  for (std::uint64_t ip = address("behind_alignment"); ip < ret; ++ip) {
    found += access_before(file, ip) ? 1 : 0;
  }
  EXPECT_EQ(found, 1U);
}

TEST_P(AccessBefore, FailsRatherThanGuess) {
  const std::uint64_t table = address("behind_a_table");
  EXPECT_FALSE(access_before(file, table + 2 + 2 + 6)) << "swallowed by the table";
  const std::uint64_t calls = address("calls_through_memory");
  EXPECT_FALSE(access_before(file, calls + 6)) << "behind a call through memory";
  EXPECT_FALSE(access_before(file, calls + 6 + 1 + 6)) << "behind a jump through memory";
  EXPECT_FALSE(access_before(file, address("entered_behind_store"))) << "an entry, though a store ends there";
  EXPECT_FALSE(access_before(file, 0));
  EXPECT_FALSE(access_before(file, 0x7fffffffffff));
  EXPECT_EQ(access_before(file, 1).error().code(), ErrorCode::kSymbolNotFound);
}

TEST_P(AccessBefore, KnowsRepeatedInstructionsByTheirOwnAddress) {
  const std::uint64_t repeated = address("repeated");
  const auto during = access_before(file, repeated + 2);
  ASSERT_TRUE(during) << during.error().to_string();
  EXPECT_THAT(during->text, HasSubstr("rep stosq"));
  EXPECT_EQ(access_before(file, repeated + 5)->address, repeated + 2) << "its last round";
  const std::uint64_t both = address("store_then_repeated") + 6;
  EXPECT_FALSE(access_before(file, both));
  const auto candidates = access_candidates(file, both);
  ASSERT_TRUE(candidates);
  ASSERT_EQ(candidates->size(), 2U);
  EXPECT_EQ((*candidates)[0].address, both - 6);
  EXPECT_EQ((*candidates)[1].address, both);
}

INSTANTIATE_TEST_SUITE_P(Programs, AccessBefore,
                         testing::Values("accesses", "accesses_stripped", "accesses_static",
                                         "accesses_static_stripped"));

}  // namespace
}  // namespace raceguard::symbols
