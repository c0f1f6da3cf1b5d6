// SPDX-License-Identifier: Apache-2.0
// The switches that a binary declares: notes of type stapsdt with the provider "raceguard", as raceguard/switch.h emits
// them, or, for languages that cannot, pairs of symbols `raceguard_marker_NAME` (a function that never runs) and
// `raceguard_word_NAME` (a 16-bit variable). Note format: sourceware.org/systemtap, UserSpaceProbeImplementation.
#pragma once

#include <vector>

#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;

struct SwitchMarkers {
  std::vector<SwitchMarker> markers;  // by name; several of one name where several copies were linked in
  std::vector<Error> rejected;        // declared, but the kernel could not set the word, with the reason
};

SwitchMarkers find_switch_markers(const ElfFile& file);

}  // namespace raceguard::symbols
