// SPDX-License-Identifier: Apache-2.0
// Attaching a program to an instruction of a file, in every process that maps it.
#pragma once

#include <cstdint>
#include <string>

#include "daemon/kernel/link.h"
#include "raceguard/error.h"

namespace raceguard::kernel {

// uprobe_multi links (6.6: 89ae89f53d20) or, without them, one perf event each. A session (6.13: d920179b3d48) is one
// uprobe_multi link for entry and return: its program runs at both, and says at the entry whether the return is seen.
// A program is loaded for one of them.
enum class UprobeWay { kMulti, kPerfEvent, kSession };

struct UprobeSite {
  std::string probe_path;  // what the kernel resolves
  std::string shown_as;    // for messages: "f in /usr/bin/x"
  std::uint64_t file_offset = 0;
  bool at_return = false;            // of a session: meaningless
  std::uint64_t ref_ctr_offset = 0;  // file offset of a 16-bit word that the kernel counts up; 0: none
  std::uint64_t cookie = 0;          // bpf_get_attach_cookie
};

// Sets the attach type that the way needs; before the object is loaded.
[[nodiscard]] bool prepare_uprobe(bpf_program* program, UprobeWay way);

Result<Link> attach_uprobe(const bpf_program* program, UprobeWay way, const UprobeSite& site);

// Asks the kernel, by a link that must fail in the way that only a kernel with uprobe_multi fails.
[[nodiscard]] bool kernel_has_uprobe_multi();
[[nodiscard]] bool kernel_has_uprobe_session();

}  // namespace raceguard::kernel
