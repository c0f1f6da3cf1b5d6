// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/flow_graph.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <initializer_list>
#include <ranges>
#include <string>

#include "daemon/symbols/frame_state.h"
#include "tests/unit/symbols/programs.h"

namespace raceguard::symbols {
namespace {

using testing::HasSubstr;

Result<FlowGraph> graph_of(const std::string& name, const std::string& program = "ways") {
  const ElfFile file = open_program(program);
  return read_flow_graph(file, only_function(file, name));
}

Result<FlowGraph> graph_of_bytes(std::initializer_list<unsigned> bytes) {
  Bytes code;
  std::ranges::transform(bytes, std::back_inserter(code), [](unsigned byte) { return static_cast<std::byte>(byte); });
  const CodePart part{.address = 0x1000, .code = code};
  return build_flow_graph(std::span(&part, 1));
}

NodeIndex node_of(const FlowGraph& graph, const std::string& text) {
  const auto found = std::ranges::find(graph.instructions, text, &Instruction::text);
  EXPECT_NE(found, graph.instructions.end()) << text;
  return static_cast<NodeIndex>(found - graph.instructions.begin());
}

TEST(FlowGraph, ABranchHasTwoWays) {
  const auto graph = graph_of("diamond");
  ASSERT_TRUE(graph) << graph.error().to_string();
  ASSERT_EQ(graph->size(), 8U);
  EXPECT_EQ(graph->next[1], (std::vector<NodeIndex>{4, 2}));
  EXPECT_EQ(graph->next[3], (std::vector<NodeIndex>{5}));
  EXPECT_TRUE(graph->leaves[7]);
  EXPECT_TRUE(graph->next[7].empty());
}

TEST(FlowGraph, ACallGoesOnAndTheLastOneDoesNot) {
  const auto graph = graph_of("may_abort");
  ASSERT_TRUE(graph) << graph.error().to_string();
  EXPECT_TRUE(graph->calls[1]);
  const NodeIndex last = static_cast<NodeIndex>(graph->size() - 1);
  EXPECT_FALSE(graph->calls[last]);
  EXPECT_TRUE(graph->next[last].empty());
  EXPECT_FALSE(graph->leaves[last]);
}

TEST(FlowGraph, JumpsToAnotherFunctionLeave) {
  const auto graph = graph_of("leaves_by_jumps");
  ASSERT_TRUE(graph) << graph.error().to_string();
  EXPECT_TRUE(graph->leaves[2]) << "je";
  EXPECT_EQ(graph->next[2], (std::vector<NodeIndex>{3}));
  EXPECT_TRUE(graph->leaves[4]) << "jmp";
}

TEST(FlowGraph, AnyCallMayComeToAHandler) {
  const auto graph = graph_of("catches");
  ASSERT_TRUE(graph) << graph.error().to_string();
  const NodeIndex call = 3;
  const NodeIndex handler = static_cast<NodeIndex>(graph->size() - 2);
  EXPECT_THAT(graph->next[call], testing::Contains(handler));
  EXPECT_TRUE(graph->reachable[handler]);
}

TEST(FlowGraph, SeesHandlersOfCompiledCode) {
  for (const char* program : {"narrow_O0", "narrow_O2"}) {
    const auto graph = graph_of("catches_inside", program);
    ASSERT_TRUE(graph) << graph.error().to_string();
    const auto catching = std::ranges::find_if(
        graph->instructions, [](const Instruction& instruction) { return instruction.flow == Flow::kCall; });
    ASSERT_NE(catching, graph->instructions.end());
    EXPECT_GE(graph->next[static_cast<std::size_t>(catching - graph->instructions.begin())].size(), 2U) << program;
  }
}

TEST(FlowGraph, RefusesWhatItCannotFollow) {
  EXPECT_THAT(graph_of("through_register").error().what(), HasSubstr("goes through a table or a register"));
  EXPECT_THAT(graph_of("into_middle").error().what(), HasSubstr("into the middle of an instruction"));
  EXPECT_THAT(graph_of_bytes({0x90, 0x06}).error().what(), HasSubstr("at +0x1 no instruction can be decoded there"));
  EXPECT_THAT(graph_of_bytes({0x90, 0x90}).error().what(), HasSubstr("its last instruction and goes on"));
  EXPECT_THAT(graph_of_bytes({0x90, 0xe8, 0xfb, 0xff, 0xff, 0xff, 0xc3}).error().what(),
              HasSubstr("calls into its middle"));
  EXPECT_TRUE(graph_of_bytes({0x90, 0xe8, 0xfa, 0xff, 0xff, 0xff, 0xc3})) << "calls itself";
}

TEST(FlowGraph, FollowsTables) {
  const auto graph = graph_of("through_table");
  ASSERT_TRUE(graph) << graph.error().to_string();
  EXPECT_EQ(graph->next[1], (std::vector<NodeIndex>{2, 4}));
}

TEST(FlowGraph, FollowsTablesOfCompiledSwitches) {
  for (const char* program : {"narrow_O2", "narrow_O2_fixed"}) {
    const auto graph = graph_of("by_case", program);
    ASSERT_TRUE(graph) << program << ": " << graph.error().to_string();
    const auto jump = std::ranges::find(graph->instructions, Flow::kIndirectJump, &Instruction::flow);
    ASSERT_NE(jump, graph->instructions.end()) << program;
    EXPECT_GE(graph->next[static_cast<std::size_t>(jump - graph->instructions.begin())].size(), 6U) << program;
    EXPECT_TRUE(std::ranges::all_of(std::views::iota(std::size_t{0}, graph->size()), [&](std::size_t node) {
      return graph->reachable[node] || graph->instructions[node].text.find("nop") != std::string::npos;
    })) << program;
  }
}

TEST(FlowGraph, RefusesTooManyInstructions) {
  Bytes code(kMostFlowInstructions + 1, std::byte{0x90});
  const CodePart part{.address = 0, .code = code};
  EXPECT_THAT(build_flow_graph(std::span(&part, 1)).error().what(), HasSubstr("more than 8192 instructions"));
}

TEST(FrameStates, FollowTheStackPointer) {
  const auto graph = graph_of("both_arms");
  ASSERT_TRUE(graph) << graph.error().to_string();
  const auto states = frame_states(*graph);
  EXPECT_EQ(states[0].cfa_offset, 8);
  EXPECT_EQ(states[1].cfa_offset, 16);
  EXPECT_EQ(states[2].frame_cfa_offset, 16);
  EXPECT_EQ(states[graph->size() - 1].cfa_offset, 8) << "behind leave";
  EXPECT_FALSE(states[graph->size() - 1].frame_cfa_offset);
}

TEST(FrameStates, ARoundedStackIsUnknownUntilItIsPutBack) {
  const auto graph = graph_of("rounded_stack");
  ASSERT_TRUE(graph) << graph.error().to_string();
  const auto states = frame_states(*graph);
  EXPECT_FALSE(states[node_of(*graph, "nop")].cfa_offset);
  EXPECT_EQ(states[node_of(*graph, "ret")].cfa_offset, 8);
}

TEST(FrameStates, CallsMayWriteArguments) {
  const auto graph = graph_of("argument_moved");
  ASSERT_TRUE(graph) << graph.error().to_string();
  const auto states = frame_states(*graph);
  constexpr unsigned kRdi = 1U << 7U;
  EXPECT_EQ(states[2].written & kRdi, 0U);
  EXPECT_NE(states[4].written & kRdi, 0U);
}

}  // namespace
}  // namespace raceguard::symbols
