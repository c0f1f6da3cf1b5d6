// SPDX-License-Identifier: Apache-2.0
// One program on many instructions of one file, in one process alone: nobody else who maps the file pays for it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

enum class UprobeSetKind {
  kEntry,    // at the instructions
  kReturn,   // at the returns of the functions that begin there
  kSession,  // both, and the program says at each entry whether it wants to see the return (6.13: d920179b3d48)
};

struct UprobeSet {
  std::string probe_path;  // what the kernel resolves
  std::string shown_as;    // for messages
  pid_t pid = 0;           // of the process; kernels before 6.10 (46ba0e49b642) see its first thread only
  std::vector<std::uint64_t> file_offsets;
  std::vector<std::uint64_t> cookies;  // as many
  UprobeSetKind kind = UprobeSetKind::kEntry;
};

// The probes are there as long as the descriptor is open. `program`: its descriptor, loaded for uprobe_multi or, where
// kind is kSession, for uprobe_session.
[[nodiscard]] Result<UniqueFd> attach_uprobes(int program, const UprobeSet& set);

// The attach type to load a session program for; linux/bpf.h of 6.1 to 6.12 does not have it.
inline constexpr int kUprobeSession = 57;

}  // namespace raceguard::kernel
