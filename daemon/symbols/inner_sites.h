// SPDX-License-Identifier: Apache-2.0
// Two places inside a function between which some of its instructions always run: for a section that is to be shorter
// than the whole call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;
struct FlowGraph;

// A probe comes before its instruction: what `entry` sits on runs within, what `exit` sits on does not.
struct InnerSites {
  Site entry;
  Site exit;
  std::size_t instructions = 0;
  std::size_t calls = 0;  // within
  std::size_t loops = 0;
  bool repeats = false;           // once for each turn of a loop
  std::size_t calls_outside = 0;  // what the whole function has besides
  std::size_t loops_outside = 0;

  // "+0x1c mov rax, [rdi] (single-stepped) to +0x24 jne 0x1130 (emulated), 3 instructions"
  [[nodiscard]] std::string text() const;
};

// The pair whose way holds the fewest calls, then the fewest loops, then the cheapest for its two probes, then the
// shortest. `offsets`: of the instructions that are to run within, from the function's entry. `argument` (1..6, 0:
// none) must still be in its register at the entry. Inside of a loop only if a turn of it calls or loops besides, or if
// there is no other way: else a probe for each turn costs more than the loop. Errors: kUsage (no instruction begins at
// an offset), kSymbolNoSite (no such pair, and why).
Result<InnerSites> find_inner_sites(const ElfFile& file, const Symbol& function, std::span<const std::uint64_t> offsets,
                                    std::uint8_t argument = 0);

// The same of a graph. Sites have no file offset.
Result<InnerSites> choose_inner_sites(const FlowGraph& graph, std::span<const std::uint64_t> offsets,
                                      std::uint8_t argument = 0);

}  // namespace raceguard::symbols
