// SPDX-License-Identifier: Apache-2.0
// What makes two entries of two plans the same thing.
#pragma once

#include <tuple>

#include "daemon/plan/probe_plan.h"

namespace raceguard::plan {

// A function of a guard in a file. Static functions of one name may be several in a file; the address tells them apart.
inline auto function_key(const FunctionProbe& probe) {
  return std::tuple(probe.guard, probe.name, probe.binary, probe.symbol.name, probe.symbol.address);
}

// What is attached where: if this differs the probe is another one, even in the same slot. The same code returns from
// the same places, if they are watched at all.
inline auto attachment_key(const FunctionProbe& probe) {
  return std::tuple(function_key(probe), probe.site.file_offset, probe.site.cfa_offset, probe.returns.empty());
}

inline auto word_key(const SwitchWord& word) {
  return std::tuple(word.binary, word.switch_name, word.marker.marker_offset, word.marker.semaphore_offset);
}

}  // namespace raceguard::plan
