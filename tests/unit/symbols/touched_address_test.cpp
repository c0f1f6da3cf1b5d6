// SPDX-License-Identifier: Apache-2.0
// The functions are in programs/touches.S.
#include "daemon/symbols/touched_address.h"

#include <gmock/gmock.h>

#include <map>

#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kObject = 0x7000'0000'1000;
constexpr std::uint64_t kStack = 0x7fff'0000'0800;
constexpr std::size_t kRbx = 3, kRsi = 4, kRdi = 5, kRsp = 7;  // by DWARF number

class TouchedNext : public testing::Test {
 protected:
  TouchedNext() {
    registers_.at(kRdi) = kObject;
    registers_.at(kRsp) = kStack;
  }
  std::vector<std::uint64_t> touched(const std::string& function) {
    std::vector<std::uint64_t> addresses;
    const std::uint64_t start = only_function(file_, function).address;
    for (const TouchedAddress& one : touched_next(file_, start, registers_, 0, [this](std::uint64_t address) {
           const auto word = memory_.find(address);
           return word == memory_.end() ? std::nullopt : std::optional(word->second);
         })) {
      addresses.push_back(one.address);
    }
    return addresses;
  }

  ElfFile file_ = open_program("touches");
  KnownRegisters registers_{};
  std::map<std::uint64_t, std::uint64_t> memory_;
};

TEST_F(TouchedNext, ComputesTheOperandFromTheRegisters) {
  registers_.at(kRsi) = 3;
  EXPECT_THAT(touched("by_register"), ElementsAre(kObject + 8 + 12, kObject + 16));
  registers_.at(kRsi).reset();
  EXPECT_THAT(touched("by_register"), ElementsAre(kObject + 16)) << "the index is not known";
}

TEST_F(TouchedNext, SaysWhatTheAccessDoes) {
  const std::uint64_t start = only_function(file_, "by_register").address;
  registers_.at(kRsi) = 0;
  const auto found = touched_next(file_, start, registers_, 0, [](std::uint64_t) { return std::nullopt; });
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].access.mode, AccessMode::kRead);
  EXPECT_EQ(found[1].access.mode, AccessMode::kUpdate);
  EXPECT_EQ(found[1].access.width_bytes, 4);
  EXPECT_EQ(found[0].instruction, start);
}

TEST_F(TouchedNext, FollowsAPointerThatCanBeRead) {
  EXPECT_THAT(touched("register_changes"), ElementsAre(kObject)) << "what rdi becomes is not known";
  memory_[kObject] = 0x5000;
  EXPECT_THAT(touched("register_changes"), ElementsAre(kObject, 0x5008)) << "imul makes it unknown again";
}

TEST_F(TouchedNext, ComputesSimpleArithmetic) { EXPECT_THAT(touched("computed"), ElementsAre(kObject + 40)); }

TEST_F(TouchedNext, APointerMayGoThroughTheStackAndTheStackIsNotOffered) {
  EXPECT_THAT(touched("through_the_stack"), ElementsAre(kObject + 40));
}

TEST_F(TouchedNext, ABranchIsFollowedBothWays) {
  EXPECT_THAT(touched("both_ways"), UnorderedElementsAre(kObject, kObject + 8));
}

TEST_F(TouchedNext, BehindACallOnlyWhatItKeepsIsKnown) {
  registers_.at(kRbx) = 0x6000;
  EXPECT_THAT(touched("over_a_call"), ElementsAre(0x6008));
}

TEST_F(TouchedNext, ALoopEnds) { EXPECT_THAT(touched("loops"), ElementsAre(kObject)); }

TEST_F(TouchedNext, AtomicsStackThreadLocalsAndNonAccessesAreLeftOut) {
  EXPECT_THAT(touched("not_worth_it"), IsEmpty());
}

TEST_F(TouchedNext, AGlobalIsWhereTheProcessHasIt) {
  constexpr std::uint64_t kBias = 0x5500'0000'0000;
  const std::uint64_t start = only_function(file_, "static_cell").address;
  const auto found = touched_next(file_, start, registers_, kBias, [](std::uint64_t) { return std::nullopt; });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(file_.name_data(found[0].address - kBias), "cell+0x4");
}

TEST_F(TouchedNext, AnInstructionThatChangesItsOwnRegisterIsComputedFromBefore) {
  registers_.at(kRsi) = 0x4000;
  EXPECT_THAT(touched("moves_on"), UnorderedElementsAre(kObject, 0x4000));
}

TEST(MemoryInstructions, AreThoseThroughRegistersOffTheStack) {
  const ElfFile file = open_program("touches");
  const auto of = [&](const char* name) {
    const std::uint64_t start = only_function(file, name).address;
    std::vector<std::uint64_t> found = memory_instructions(file, start + 1);
    for (std::uint64_t& each : found) {
      each -= start;
    }
    return found;
  };
  EXPECT_THAT(of("by_register"), ElementsAre(0, 4));
  EXPECT_THAT(of("through_the_stack"), ElementsAre(12)) << "rbp is a frame pointer there";
  EXPECT_THAT(of("not_worth_it"), IsEmpty());
  EXPECT_THAT(of("static_cell"), IsEmpty()) << "its address is in the code";
  EXPECT_THAT(memory_instructions(file, 0x10), IsEmpty());
}

}  // namespace
}  // namespace raceguard::symbols
