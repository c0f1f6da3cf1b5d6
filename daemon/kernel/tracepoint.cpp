// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/tracepoint.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"

namespace raceguard::kernel {
namespace {

// glibc 2.36 has fsopen(3); called by number because <sys/mount.h> and <linux/mount.h> clash before 2.37.
UniqueFd mount_detached() {
  UniqueFd context(static_cast<int>(::syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC)));
  if (!context || ::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return UniqueFd();
  }
  return UniqueFd(static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

Result<TraceFs> TraceFs::open() {
  for (const char* path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
    UniqueFd root(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (root && ::faccessat(root.get(), "events/syscalls", R_OK, 0) == 0) {
      return TraceFs(std::move(root));
    }
  }
  UniqueFd root = mount_detached();
  if (!root) {
    return fail_errno(ErrorCode::kKernelUnsupported, "cannot open tracefs (not mounted, and no private mount of it)",
                      errno,
                      "Mount it (mount -t tracefs tracefs /sys/kernel/tracing) or give the service CAP_SYS_ADMIN");
  }
  return TraceFs(std::move(root));
}

Result<std::uint64_t> TraceFs::tracepoint_id(const std::string& group, const std::string& name) const {
  const std::string path = fmt::format("events/{}/{}/id", group, name);
  const UniqueFd file(::openat(root_.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t length = file ? ::read(file.get(), text.data(), text.size()) : -1;
  if (length < 0) {
    return fail(kernel_error(Request::kTracepoint,
                             fmt::format("cannot read the id of tracepoint {}:{} in tracefs", group, name), errno));
  }
  std::uint64_t id = 0;
  if (std::from_chars(text.data(), text.data() + length, id).ec != std::errc()) {
    return fail(ErrorCode::kKernelAttach,
                fmt::format("id of tracepoint {}:{} in tracefs is not a number", group, name));
  }
  return id;
}

Result<Link> attach_tracepoint(bpf_program* program, const TraceFs& tracefs, const std::string& group,
                               const std::string& name) {
  const auto id = tracefs.tracepoint_id(group, name);
  if (!id) {
    return fail(id.error());
  }
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = *id;
  UniqueFd event(static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC)));
  const std::string what = fmt::format("cannot attach to tracepoint {}:{}", group, name);
  if (!event) {
    return fail(kernel_error(Request::kTracepoint, what, errno));
  }
  Link link(bpf_program__attach_perf_event(program, event.get()));
  if (!link) {
    return fail(kernel_error(Request::kTracepoint, what, errno));
  }
  static_cast<void>(event.release());  // the link closes it
  return link;
}

}  // namespace raceguard::kernel
