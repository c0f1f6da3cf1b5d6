// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/inner_sites.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "daemon/symbols/access.h"
#include "daemon/symbols/flow_graph.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::HasSubstr;

// Of the instructions that access memory by another register than the stack's.
std::vector<std::uint64_t> accesses_of(const ElfFile& file, const Symbol& function) {
  std::vector<std::uint64_t> offsets;
  const auto graph = read_flow_graph(file, function);
  EXPECT_TRUE(graph) << graph.error().to_string();
  for (const Instruction& instruction : graph->instructions) {
    const auto decoded = decode_access(file.read_code(instruction.address, instruction.length), instruction.address);
    constexpr std::int8_t kRbp = 6;
    constexpr std::int8_t kRsp = 7;
    const bool is_shared = std::ranges::any_of(decoded->accesses, [](const MemoryAccess& access) {
      return !access.where.thread_local_segment && access.where.base != kRsp && access.where.base != kRbp;
    });
    if (is_shared) {
      offsets.push_back(instruction.address - function.address);
    }
  }
  return offsets;
}

Result<InnerSites> inner_of(const std::string& name, std::uint8_t argument = 0, const std::string& program = "ways") {
  const ElfFile file = open_program(program);
  const Symbol function = only_function(file, name);
  return find_inner_sites(file, function, accesses_of(file, function), argument);
}

InnerSites found(const std::string& name, std::uint8_t argument = 0, const std::string& program = "ways") {
  auto sites = inner_of(name, argument, program);
  EXPECT_TRUE(sites) << name << ": " << (sites ? "" : sites.error().to_string());
  return sites ? std::move(*sites) : InnerSites{};
}

TEST(InnerSites, CheapestWhereNothingIsBetween) {
  const InnerSites sites = found("early_return");
  EXPECT_EQ(sites.entry.instruction, "nop");
  EXPECT_EQ(sites.exit.instruction, "nop");
  EXPECT_EQ(sites.instructions, 4U);
  EXPECT_EQ(sites.calls, 0U);
  EXPECT_EQ(sites.calls_outside, 2U);
  EXPECT_EQ(sites.entry.cfa_offset, 16U);
  EXPECT_EQ(sites.exit.cfa_offset, 16U);
  EXPECT_NE(sites.entry.file_offset, 0U);
  EXPECT_FALSE(sites.repeats);
}

TEST(InnerSites, EnclosesBothArms) {
  const InnerSites sites = found("both_arms");
  EXPECT_EQ(sites.calls, 0U);
  EXPECT_EQ(sites.calls_outside, 2U);
  EXPECT_TRUE(sites.entry.instruction.starts_with("jz")) << sites.text();
  EXPECT_TRUE(sites.exit.instruction.starts_with("call")) << sites.text();
}

TEST(InnerSites, EachTurnOfALoopThatCalls) {
  const InnerSites sites = found("loop_with_call");
  EXPECT_TRUE(sites.repeats) << sites.text();
  EXPECT_EQ(sites.calls, 0U);
  EXPECT_EQ(sites.loops, 0U);
  EXPECT_EQ(sites.entry.instruction, "nop");
  EXPECT_TRUE(sites.exit.instruction.starts_with("jnz")) << sites.text();
}

TEST(InnerSites, AroundALoopThatDoesNothingElse) {
  const InnerSites sites = found("tight_loop");
  EXPECT_FALSE(sites.repeats) << sites.text();
  EXPECT_EQ(sites.loops, 1U);
  EXPECT_EQ(sites.entry.instruction, "nop");
  EXPECT_EQ(sites.exit.instruction, "ret");
}

TEST(InnerSites, AFunctionThatNeverReturns) {
  const InnerSites sites = found("worker");
  EXPECT_TRUE(sites.repeats) << sites.text();
  EXPECT_EQ(sites.calls, 0U);
  EXPECT_TRUE(sites.exit.instruction.starts_with("jmp")) << sites.text();
}

TEST(InnerSites, LeavesOutLoops) {
  const InnerSites sites = found("long_loops");
  EXPECT_EQ(sites.loops, 0U);
  EXPECT_EQ(sites.loops_outside, 2U);
  EXPECT_EQ(sites.instructions, 4U) << sites.text();
}

TEST(InnerSites, AroundTheLoopWhereAnAccessComesBefore) {
  const InnerSites sites = found("before_and_in_loop");
  EXPECT_FALSE(sites.repeats) << sites.text();
  EXPECT_EQ(sites.entry.function_offset, 0U);
  EXPECT_EQ(sites.loops, 1U);
}

TEST(InnerSites, NotWhereItMayStayForEver) {
  const auto sites = inner_of("may_hang");
  ASSERT_FALSE(sites) << sites->text();
  EXPECT_EQ(sites.error().code(), ErrorCode::kSymbolNoSite);
  EXPECT_THAT(sites.error().what(), HasSubstr("no two instructions enclose them on every way"));
}

TEST(InnerSites, AWayThatNeverComesBackDoesNotCount) {
  const InnerSites sites = found("may_abort");
  EXPECT_EQ(sites.calls, 0U) << sites.text();
  EXPECT_TRUE(sites.exit.instruction.starts_with("jmp")) << sites.text();
}

TEST(InnerSites, AnExceptionThatIsCaughtIsAWay) {
  // Between the two accesses a call may come to the handler, which goes on before the return only.
  const InnerSites sites = found("catches");
  EXPECT_EQ(sites.exit.instruction, "pop rbx") << sites.text();
  EXPECT_EQ(sites.exit.cfa_offset, 16U);
}

TEST(InnerSites, KeepsTheArgumentWhereItIsNeeded) {
  EXPECT_EQ(found("argument_moved").calls, 0U);
  const InnerSites keyed = found("argument_moved", 1);
  EXPECT_EQ(keyed.calls, 1U) << keyed.text();
}

TEST(InnerSites, AnExitMayBeAJumpThatLeavesUnderACondition) {
  const InnerSites sites = found("leaves_by_jumps");
  EXPECT_TRUE(sites.exit.instruction.starts_with("jz")) << sites.text();
}

TEST(InnerSites, AroundWhereTheStackIsRounded) {
  const InnerSites sites = found("rounded_stack");
  EXPECT_EQ(sites.entry.cfa_offset, 8U) << sites.text();
  EXPECT_EQ(sites.exit.instruction, "ret") << sites.text();
}

TEST(InnerSites, SaysWhereNoInstructionBegins) {
  const ElfFile file = open_program("ways");
  const auto sites = find_inner_sites(file, only_function(file, "diamond"), std::vector<std::uint64_t>{1});
  ASSERT_FALSE(sites);
  EXPECT_EQ(sites.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(sites.error().what(), HasSubstr("no instruction of the function begins at +0x1"));
}

TEST(InnerSites, OfCompiledCode) {
  for (const char* program : {"narrow_O0", "narrow_O2"}) {
    const InnerSites sleeping = found("sleeps_around", 0, program);
    EXPECT_EQ(sleeping.calls, 0U) << program << ": " << sleeping.text();
    EXPECT_EQ(sleeping.calls_outside, 2U) << program << ": " << sleeping.text();
    EXPECT_LT(sleeping.instructions, 12U);
    const InnerSites looping = found("for_each", 0, program);
    EXPECT_EQ(looping.calls, 0U) << program << ": " << looping.text();
    EXPECT_TRUE(looping.repeats) << program << ": " << looping.text();
  }
}

}  // namespace
}  // namespace raceguard::symbols
