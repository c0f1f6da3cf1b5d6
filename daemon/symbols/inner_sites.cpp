// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/inner_sites.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/symbols/code_region.h"
#include "daemon/symbols/dominators.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/flow_graph.h"
#include "daemon/symbols/frame_state.h"

namespace raceguard::symbols {
namespace {

// So many instructions outward are tried: a bound on the time that a long function takes.
constexpr std::size_t kMostEntries = 96;
constexpr std::size_t kMostExits = 32;
// A hit on each turn of a loop that does little else is dearer than some loops inside of the section.
constexpr std::size_t kIdleTurns = 8;
constexpr std::array<std::uint8_t, 6> kArgumentRegisters = {7, 6, 2, 1, 8, 9};  // rdi rsi rdx rcx r8 r9

const char* kind_text(SiteKind kind) { return kind == SiteKind::kSingleStepped ? "single-stepped" : "emulated"; }

// Less is better. What the kernel steps over at the entry it steps over with the slot taken.
struct Rank {
  std::size_t calls = 0;
  std::size_t loops = 0;
  int hits = 0;
  std::size_t instructions = 0;
  friend auto operator<=>(const Rank&, const Rank&) = default;
};

class Search {
 public:
  Search(const FlowGraph& graph, std::vector<NodeIndex> accesses, std::uint8_t argument)
      : graph_(graph),
        accesses_(std::move(accesses)),
        argument_(argument),
        states_(frame_states(graph)),
        before_(turned_around(graph.next)),
        to_ends_(before_) {
    to_ends_.emplace_back();  // the end
    for (NodeIndex node = 0; node < graph.size(); ++node) {
      if (graph.leaves[node]) {
        leaving_.push_back(node);
      }
    }
  }

  Result<InnerSites> run() {
    const Dominators dominators(graph_.next, 0);
    auto entry = dominators.nearest(accesses_);
    for (std::size_t tried = 0; entry && tried < kMostEntries; ++tried) {
      if (takes_probe(*entry) && has_argument(*entry)) {
        ++entries_;
        try_exits(*entry);
      }
      entry = dominators.parent(*entry);
    }
    return best_ ? Result<InnerSites>(made()) : fail(ErrorCode::kSymbolNoSite, objection());
  }

 private:
  struct Pair {
    Rank rank;
    NodeIndex entry = 0;
    NodeIndex exit = 0;
    CodeRegion region;
  };

  [[nodiscard]] bool takes_probe(NodeIndex node) const {
    constexpr std::int32_t kReturnAddressBytes = 8;
    return graph_.instructions[node].kind != SiteKind::kRefused &&
           states_[node].cfa_offset.value_or(0) >= kReturnAddressBytes;
  }

  [[nodiscard]] bool has_argument(NodeIndex node) const {
    return argument_ == 0 || (states_[node].written & 1U << kArgumentRegisters.at(argument_ - 1)) == 0;
  }

  // Every way on from the accesses passes these before the function is left or comes to `entry` again.
  void try_exits(NodeIndex entry) {
    const auto end = static_cast<NodeIndex>(graph_.size());
    to_ends_[end] = leaving_;
    to_ends_[end].insert(to_ends_[end].end(), before_[entry].begin(), before_[entry].end());
    to_ends_[entry].clear();
    const Dominators post_dominators(to_ends_, end);
    to_ends_[entry] = before_[entry];
    auto exit = post_dominators.nearest(accesses_);
    for (std::size_t tried = 0; exit && *exit != end && tried < kMostExits; ++tried) {
      if (takes_probe(*exit) && std::ranges::find(accesses_, *exit) == accesses_.end()) {
        ++exits_;
        try_pair(entry, *exit);
      }
      exit = post_dominators.parent(*exit);
    }
  }

  void try_pair(NodeIndex entry, NodeIndex exit) {
    const auto region = code_region(graph_, before_, entry, exit, accesses_);
    if (!region) {
      return;
    }
    constexpr int kSteppedEntry = 12;
    constexpr int kSteppedExit = 8;
    const auto is_stepped = [&](NodeIndex node) { return graph_.instructions[node].kind == SiteKind::kSingleStepped; };
    const bool idle_turns = region->repeats && !region->works_between_turns;
    const Rank rank{.calls = region->calls,
                    .loops = region->loops + (idle_turns ? kIdleTurns : 0),
                    .hits = (is_stepped(entry) ? kSteppedEntry : 1) + (is_stepped(exit) ? kSteppedExit : 1),
                    .instructions = region->instructions};
    if (!best_ || rank < best_->rank) {
      best_ = Pair{.rank = rank, .entry = entry, .exit = exit, .region = *region};
    }
  }

  [[nodiscard]] Site site(NodeIndex node) const {
    const Instruction& instruction = graph_.instructions[node];
    Site site;
    site.address = instruction.address;
    site.function_offset = static_cast<std::uint32_t>(instruction.address - graph_.instructions.front().address);
    site.instruction = instruction.text;
    site.kind = instruction.kind;
    site.cfa_offset = static_cast<std::uint32_t>(*states_[node].cfa_offset);
    site.may_repeat = best_->region.repeats;
    site.why = instruction.kind_reason;
    return site;
  }

  [[nodiscard]] InnerSites made() const {
    const CodeRegion& region = best_->region;
    const auto calls = static_cast<std::size_t>(std::ranges::count(graph_.calls, true));
    const std::size_t loops = count_loops(graph_, 0, std::vector<bool>(graph_.size(), true));
    return {.entry = site(best_->entry),
            .exit = site(best_->exit),
            .instructions = region.instructions,
            .calls = region.calls,
            .loops = region.loops,
            .repeats = region.repeats,
            .calls_outside = calls - region.calls,
            .loops_outside = loops - std::min(loops, region.loops)};
  }

  [[nodiscard]] std::string objection() const {
    if (entries_ == 0) {
      return argument_ == 0 ? "no instruction that every way to them passes can take a probe"
                            : fmt::format(
                                  "argument {} is not in its register any more at any instruction that every "
                                  "way to them passes and that can take a probe",
                                  argument_);
    }
    return exits_ == 0 ? "no instruction that every way on from them passes can take a probe"
                       : "no two instructions enclose them on every way";
  }

  const FlowGraph& graph_;
  std::vector<NodeIndex> accesses_;
  std::uint8_t argument_;
  std::vector<FrameState> states_;
  Successors before_;
  Successors to_ends_;  // before_, and one node more that all ends lead to
  std::vector<NodeIndex> leaving_;
  std::optional<Pair> best_;
  std::size_t entries_ = 0;
  std::size_t exits_ = 0;
};

}  // namespace

std::string InnerSites::text() const {
  const auto counted = [](std::size_t count, const char* what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  return fmt::format("+{:#x} {} ({}) to +{:#x} {} ({}), {}{}{}", entry.function_offset, entry.instruction,
                     kind_text(entry.kind), exit.function_offset, exit.instruction, kind_text(exit.kind),
                     counted(instructions, "instruction"), calls == 0 ? "" : " with " + counted(calls, "call"),
                     repeats ? ", each turn of a loop" : "");
}

Result<InnerSites> choose_inner_sites(const FlowGraph& graph, std::span<const std::uint64_t> offsets,
                                      std::uint8_t argument) {
  std::vector<NodeIndex> accesses;
  for (const std::uint64_t offset : offsets) {
    const auto node = graph.at(graph.instructions.front().address + offset);
    if (!node) {
      return fail(ErrorCode::kUsage, fmt::format("no instruction of the function begins at +{:#x}", offset),
                  "Give offsets as 'objdump -d' or a finding has them, from the function's entry");
    }
    accesses.push_back(*node);
  }
  return Search(graph, std::move(accesses), argument).run();
}

Result<InnerSites> find_inner_sites(const ElfFile& file, const Symbol& function, std::span<const std::uint64_t> offsets,
                                    std::uint8_t argument) {
  const auto graph = read_flow_graph(file, function);
  if (!graph) {
    return fail(graph.error());
  }
  auto sites = choose_inner_sites(*graph, offsets, argument);
  if (sites) {
    sites->entry.file_offset = file.offset_of(sites->entry.address).value_or(0);
    sites->exit.file_offset = file.offset_of(sites->exit.address).value_or(0);
  }
  return sites;
}

}  // namespace raceguard::symbols
