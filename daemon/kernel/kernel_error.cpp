// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/kernel_error.h"

#include <cerrno>

#include <fmt/format.h>

namespace raceguard::kernel {
namespace {

std::string missing_right(Request request) {
  switch (request) {
    case Request::kPerfUprobe:
      return "Give the service CAP_SYS_ADMIN and CAP_SYS_PTRACE (uprobes as perf events need them), or run a kernel "
             "with "
             "uprobe_multi (6.6), where CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE are enough; see raceguardctl features";
    case Request::kUprobeMulti:
      return "Give the service CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE; in a container also allow bpf() in its seccomp "
             "profile";
    case Request::kMap:
    case Request::kLoad:
    case Request::kTracepoint:
    case Request::kPerfEvent:
      break;
  }
  return "Give the service CAP_BPF and CAP_PERFMON; in a container also allow bpf() and perf_event_open() in its "
         "seccomp profile";
}

// The verifier says EACCES for a program that it does not understand, and EPERM where the right is missing.
bool is_refused_program(Request request, int error) { return request == Request::kLoad && error == EACCES; }

std::string remedy_for(Request request, int error) {
  switch (error) {
    case EPERM:
    case EACCES:
      if (is_refused_program(request, error)) {
        return "The kernel's verifier refuses the program: please report this with the output of raceguardctl doctor";
      }
      return missing_right(request);
    case ENOENT:
      return request == Request::kTracepoint
                 ? "The kernel needs CONFIG_FTRACE_SYSCALLS and CONFIG_BPF_EVENTS"
                 : "The file or the kernel's event source is gone; if a package was upgraded, restart its service";
    case kErrnoNotSupported:
      return "The kernel refuses a uprobe on this instruction; raceguardctl sites BINARY SYMBOL shows others";
    case ENOMEM:
      return "The kernel has no memory for it: lower max_calls_in_flight, max_locks or ring_bytes, or raise the memory "
             "limit of the service's cgroup";
    case EMFILE:
      return "Raise LimitNOFILE of the service: each guarded function takes two descriptors";
    case ENOSPC:
      return "All of the CPU's hardware breakpoints or perf events are taken: end other tracers (gdb, perf)";
    case EINVAL:
    case EOPNOTSUPP:
      return request == Request::kLoad
                 ? "raceguard needs Linux 6.1 or later with CONFIG_DEBUG_INFO_BTF; see raceguardctl features"
                 : "The kernel does not know this kind of probe; see raceguardctl features";
    default:
      return "";
  }
}

}  // namespace

Error kernel_error(Request request, std::string what, int error) {
  const bool denied = (error == EPERM || error == EACCES) && !is_refused_program(request, error);
  ErrorCode code = denied                      ? ErrorCode::kKernelPermission
                   : request == Request::kLoad ? ErrorCode::kKernelLoad
                   : request == Request::kMap  ? ErrorCode::kKernelMap
                                               : ErrorCode::kKernelAttach;
  if (error == kErrnoNotSupported) {
    return Error(code, fmt::format("{}: errno 524 (ENOTSUPP, operation is not supported)", what),
                 remedy_for(request, error));
  }
  return Error::from_errno(code, std::move(what), error, remedy_for(request, error));
}

}  // namespace raceguard::kernel
