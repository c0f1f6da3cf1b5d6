// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/flow_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/function_parts.h"

namespace raceguard::symbols {
namespace {

constexpr std::size_t kMostHandlers = 256;
constexpr std::uint64_t kLargestPart = 1U << 17U;
constexpr NodeIndex kTableReach = 12;  // instructions before a jump in which a switch loads its table

// What compilers put between pieces of code.
bool is_filling(const Instruction& instruction) {
  const std::string& text = instruction.text;
  return text.find("nop") != std::string::npos || text.starts_with("int3") || text == "xchg ax, ax";
}

class Builder {
 public:
  Builder(std::span<const CodePart> parts, const ReadMemory& read) : parts_(parts), read_(read) {}

  Result<FlowGraph> run() {
    for (const CodePart& part : parts_) {
      if (auto read = read_part(part); !read) {
        return fail(std::move(read).error());
      }
    }
    if (graph_.instructions.empty()) {
      return refuse(0, "there is no code");
    }
    graph_.next.resize(graph_.size());
    graph_.leaves.resize(graph_.size());
    graph_.calls.resize(graph_.size());
    for (NodeIndex node = 0; node < graph_.size(); ++node) {
      if (auto connected = connect(node); !connected) {
        return fail(std::move(connected).error());
      }
    }
    return connect_handlers();
  }

 private:
  Result<void> read_part(const CodePart& part) {
    for (std::size_t at = 0; at < part.code.size();) {
      auto instruction = decode(part.code.subspan(at), part.address + at, by_address_.empty(), {});
      if (!instruction) {
        return refuse(part.address + at, "no instruction can be decoded there");
      }
      if (graph_.size() == kMostFlowInstructions) {
        return refuse(part.address + at, fmt::format("it has more than {} instructions", kMostFlowInstructions));
      }
      graph_.frame_moves.push_back(frame_move(part.code.subspan(at)));
      at += instruction->length;
      by_address_.emplace(instruction->address, static_cast<NodeIndex>(graph_.size()));
      graph_.instructions.push_back(std::move(*instruction));
    }
    return {};
  }

  Result<void> connect(NodeIndex node) {
    const Instruction& instruction = graph_.instructions[node];
    switch (instruction.flow) {
      case Flow::kNext:
        return go_on(node, true);
      case Flow::kCall:
        if (instruction.target && *instruction.target != parts_.front().address && in_parts(*instruction.target)) {
          return refuse(instruction.address, fmt::format("'{}' calls into its middle", instruction.text));
        }
        return go_on(node, false);
      case Flow::kConditional:
        if (auto jumped = jump(node); !jumped) {
          return jumped;
        }
        return go_on(node, true);
      case Flow::kJump:
        return jump(node);
      case Flow::kIndirectJump:
        return jump_indirectly(node);
      case Flow::kReturn:
        graph_.leaves[node] = true;
        return {};
      case Flow::kTrap:
        return {};
    }
    return {};
  }

  Result<void> jump_indirectly(NodeIndex node) {
    const Instruction& instruction = graph_.instructions[node];
    // Through a pointer at a fixed place, the global offset table: another function. A switch has its table's index in
    // a register.
    if (instruction.text.find("[0x") != std::string::npos) {
      leave(node);
      return {};
    }
    for (const std::uint64_t target : jump_table_targets(
             run_up_to(node), read_, [this](std::uint64_t address) { return by_address_.contains(address); })) {
      graph_.next[node].push_back(by_address_.at(target));
    }
    if (graph_.next[node].empty()) {
      return refuse(instruction.address, fmt::format("'{}' goes through a table or a register", instruction.text));
    }
    return {};
  }

  [[nodiscard]] std::vector<CodeAt> run_up_to(NodeIndex last) const {
    const std::uint64_t end = graph_.instructions[last].address;
    const auto part = std::ranges::find_if(parts_, [&](const CodePart& one) { return holds(one, end); });
    std::vector<CodeAt> run;
    for (NodeIndex node = last - std::min(last, kTableReach); node <= last; ++node) {
      if (const std::uint64_t address = graph_.instructions[node].address; holds(*part, address)) {
        run.push_back({.address = address, .code = part->code.subspan(address - part->address)});
      }
    }
    return run;
  }

  // A call that is the last instruction never comes back.
  Result<void> go_on(NodeIndex node, bool must) {
    const Instruction& instruction = graph_.instructions[node];
    const auto next = by_address_.find(instruction.address + instruction.length);
    if (next != by_address_.end()) {
      graph_.next[node].push_back(next->second);
      graph_.calls[node] = instruction.flow == Flow::kCall || instruction.text == "syscall";
    } else if (must) {
      return refuse(instruction.address, fmt::format("'{}' is its last instruction and goes on", instruction.text));
    }
    return {};
  }

  Result<void> jump(NodeIndex node) {
    const Instruction& instruction = graph_.instructions[node];
    if (!instruction.target || !in_parts(*instruction.target)) {
      leave(node);
      return {};
    }
    const auto found = by_address_.find(*instruction.target);
    if (found == by_address_.end()) {
      return refuse(instruction.address, fmt::format("'{}' goes into the middle of an instruction", instruction.text));
    }
    graph_.next[node].push_back(found->second);
    return {};
  }

  void leave(NodeIndex node) {
    graph_.leaves[node] = true;
    graph_.calls[node] = true;
  }

  [[nodiscard]] static bool holds(const CodePart& part, std::uint64_t address) {
    return address >= part.address && address - part.address < part.code.size();
  }

  [[nodiscard]] bool in_parts(std::uint64_t address) const {
    return std::ranges::any_of(parts_, [&](const CodePart& part) { return holds(part, address); });
  }

  // What no instruction leads to is where exceptions are handled.
  Result<FlowGraph> connect_handlers() {
    graph_.reachable.assign(graph_.size(), false);
    mark_from(0);
    std::vector<NodeIndex> calls;
    for (NodeIndex node = 0; node < graph_.size(); ++node) {
      if (graph_.instructions[node].flow == Flow::kCall) {
        calls.push_back(node);
      }
    }
    std::size_t handlers = 0;
    for (NodeIndex node = 0; node < graph_.size(); ++node) {
      if (graph_.reachable[node] || is_filling(graph_.instructions[node])) {
        continue;
      }
      if (++handlers > kMostHandlers) {
        return refuse(graph_.instructions[node].address, "too many pieces of code that nothing leads to");
      }
      for (const NodeIndex call : calls) {
        graph_.next[call].push_back(node);
      }
      mark_from(node);
    }
    return std::move(graph_);
  }

  void mark_from(NodeIndex start) {
    std::vector<NodeIndex> left = {start};
    while (!left.empty()) {
      const NodeIndex node = left.back();
      left.pop_back();
      if (!graph_.reachable[node]) {
        graph_.reachable[node] = true;
        left.insert(left.end(), graph_.next[node].begin(), graph_.next[node].end());
      }
    }
  }

  [[nodiscard]] tl::unexpected<Error> refuse(std::uint64_t address, const std::string& why) const {
    const std::uint64_t entry = parts_.empty() ? 0 : parts_.front().address;
    const std::string place = address >= entry ? fmt::format("+{:#x}", address - entry) : fmt::format("{:#x}", address);
    return fail(ErrorCode::kSymbolNoSite, fmt::format("the function's ways cannot be told: at {} {}", place, why));
  }

  std::span<const CodePart> parts_;
  const ReadMemory& read_;
  FlowGraph graph_;
  std::unordered_map<std::uint64_t, NodeIndex> by_address_;
};

}  // namespace

std::optional<NodeIndex> FlowGraph::at(std::uint64_t address) const {
  const auto found = std::ranges::find(instructions, address, &Instruction::address);
  return found == instructions.end() ? std::nullopt
                                     : std::optional(static_cast<NodeIndex>(found - instructions.begin()));
}

Result<FlowGraph> build_flow_graph(std::span<const CodePart> parts, const ReadMemory& read) {
  return Builder(parts, read).run();
}

Result<FlowGraph> read_flow_graph(const ElfFile& file, const Symbol& function) {
  std::vector<Bytes> bytes;
  std::vector<CodePart> parts;
  for (const CodeRange& range : function_parts(file, function)) {
    bytes.push_back(file.read_code(range.begin, std::min(range.end - range.begin, kLargestPart)));
    parts.push_back({.address = range.begin, .code = {}});
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].code = bytes[i];
  }
  return build_flow_graph(parts, [&file](std::uint64_t address, std::uint64_t wanted) {
    const auto offset = file.offset_of(address);
    const std::uint64_t size = file.source().size();
    return offset && *offset < size ? file.source().read(*offset, std::min(wanted, size - *offset)).value_or(Bytes{})
                                    : Bytes{};
  });
}

Successors turned_around(const Successors& next) {
  Successors before(next.size());
  for (NodeIndex node = 0; node < next.size(); ++node) {
    for (const NodeIndex to : next[node]) {
      before[to].push_back(node);
    }
  }
  return before;
}

}  // namespace raceguard::symbols
