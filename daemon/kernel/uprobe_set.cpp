// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/uprobe_set.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"

namespace raceguard::kernel {

// By number: libbpf before 1.6 refuses the attach type of sessions.
Result<UniqueFd> attach_uprobes(int program, const UprobeSet& set) {
  bpf_attr attributes;
  std::memset(&attributes, 0, sizeof(attributes));
  attributes.link_create.prog_fd = static_cast<__u32>(program);
  attributes.link_create.attach_type =
      static_cast<__u32>(set.kind == UprobeSetKind::kSession ? kUprobeSession : int{BPF_TRACE_UPROBE_MULTI});
  attributes.link_create.uprobe_multi.path = reinterpret_cast<std::uintptr_t>(set.probe_path.c_str());
  attributes.link_create.uprobe_multi.offsets = reinterpret_cast<std::uintptr_t>(set.file_offsets.data());
  attributes.link_create.uprobe_multi.cookies = reinterpret_cast<std::uintptr_t>(set.cookies.data());
  attributes.link_create.uprobe_multi.cnt = static_cast<__u32>(set.file_offsets.size());
  attributes.link_create.uprobe_multi.flags = set.kind == UprobeSetKind::kReturn ? BPF_F_UPROBE_MULTI_RETURN : 0;
  attributes.link_create.uprobe_multi.pid = static_cast<__u32>(set.pid);
  UniqueFd link(static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes))));
  if (!link) {
    const int error = errno;
    if (error == ESRCH) {
      return fail(ErrorCode::kTargetGone, fmt::format("cannot attach {} uprobes to {}: process {} is gone",
                                                      set.file_offsets.size(), set.shown_as, set.pid));
    }
    return fail(kernel_error(
        Request::kUprobeMulti,
        fmt::format("cannot attach {} uprobes to {} in process {}", set.file_offsets.size(), set.shown_as, set.pid),
        error));
  }
  return link;
}

}  // namespace raceguard::kernel
