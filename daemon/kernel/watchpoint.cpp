// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/watchpoint.h"

#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

Result<Link> watch_own_writes(bpf_program* program, const void* address) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_BREAKPOINT;
  attributes.size = sizeof(attributes);
  attributes.bp_type = HW_BREAKPOINT_W;
  attributes.bp_addr = std::bit_cast<std::uintptr_t>(address);
  attributes.bp_len = HW_BREAKPOINT_LEN_8;
  attributes.sample_period = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (!event) {
    return fail(kernel_error(Request::kPerfEvent, "cannot open a hardware watchpoint on own memory", errno));
  }
  const LibbpfLog quiet;
  Link link(bpf_program__attach_perf_event(program, event.get()));
  if (!link) {
    return fail(kernel_error(Request::kPerfEvent, "cannot attach a BPF program to a hardware watchpoint", errno));
  }
  static_cast<void>(event.release());  // the link closes it
  return link;
}

}  // namespace raceguard::kernel
