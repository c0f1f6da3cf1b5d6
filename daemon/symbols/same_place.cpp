// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/same_place.h"

#include <algorithm>

#include "daemon/symbols/access.h"
#include "daemon/symbols/elf_file.h"
#include "daemon/symbols/flow_graph.h"
#include "daemon/symbols/frame_state.h"

namespace raceguard::symbols {
namespace {

constexpr std::int8_t kRbp = 6;  // DWARF's numbers
constexpr std::int8_t kRsp = 7;

struct Place {
  bool is_global = false;
  std::int64_t displacement = 0;
  std::uint8_t bytes = 0;
};

bool overlap(const Place& a, const Place& b) {
  return a.is_global == b.is_global && a.displacement < b.displacement + b.bytes &&
         b.displacement < a.displacement + a.bytes;
}

// Those that say where they are.
std::vector<Place> places_of(const AccessInstruction& instruction, const FrameState& state) {
  std::vector<Place> places;
  for (const MemoryAccess& access : instruction.accesses) {
    const EffectiveAddress& where = access.where;
    const bool is_stack = where.base == kRsp || (where.base == kRbp && state.frame_cfa_offset);
    const bool is_told = where.index == -1 && (!where.lost || where.base != -1);
    if (!is_stack && is_told && !where.thread_local_segment) {
      places.push_back({.is_global = where.base == -1,
                        .displacement = where.displacement,
                        .bytes = std::max<std::uint8_t>(access.width_bytes, 1)});
    }
  }
  return places;
}

}  // namespace

std::vector<std::uint64_t> with_same_place(const ElfFile& file, const Symbol& function,
                                           std::vector<std::uint64_t> offsets) {
  const auto graph = read_flow_graph(file, function);
  if (!graph) {
    return offsets;
  }
  const std::vector<FrameState> states = frame_states(*graph);
  std::vector<std::vector<Place>> places(graph->size());
  std::vector<Place> wanted;
  for (NodeIndex node = 0; node < graph->size(); ++node) {
    const Instruction& instruction = graph->instructions[node];
    if (const auto decoded =
            decode_access(file.read_code(instruction.address, instruction.length), instruction.address)) {
      places[node] = places_of(*decoded, states[node]);
    }
    if (std::ranges::find(offsets, instruction.address - function.address) != offsets.end()) {
      wanted.insert(wanted.end(), places[node].begin(), places[node].end());
    }
  }
  for (NodeIndex node = 0; node < graph->size(); ++node) {
    const bool is_same = std::ranges::any_of(places[node], [&](const Place& place) {
      return std::ranges::any_of(wanted, [&](const Place& other) { return overlap(place, other); });
    });
    if (is_same) {
      offsets.push_back(graph->instructions[node].address - function.address);
    }
  }
  std::ranges::sort(offsets);
  offsets.erase(std::unique(offsets.begin(), offsets.end()), offsets.end());
  return offsets;
}

}  // namespace raceguard::symbols
