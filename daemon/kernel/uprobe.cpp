// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/uprobe.h"

#include <bpf/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {
namespace {

constexpr pid_t kAllProcesses = -1;

// BPF_TRACE_UPROBE_SESSION; Debian 12's headers end before it.
constexpr auto kSessionType = static_cast<bpf_attach_type>(57);

// By the system call: libbpf 1.4 makes no such link.
int create_session(int program, const char* path, unsigned long offset, __u64 cookie) {
  bpf_attr attributes{};
  auto& link = attributes.link_create;
  link.prog_fd = static_cast<__u32>(program);
  link.attach_type = kSessionType;
  link.uprobe_multi.path = reinterpret_cast<__u64>(path);
  link.uprobe_multi.offsets = reinterpret_cast<__u64>(&offset);
  link.uprobe_multi.cookies = reinterpret_cast<__u64>(&cookie);
  link.uprobe_multi.cnt = 1;
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

Link attach_session(const bpf_program* program, const UprobeSite& site) {
  return Link(
      UniqueFd(create_session(bpf_program__fd(program), site.probe_path.c_str(), site.file_offset, site.cookie)));
}

bpf_link* attach_multi(const bpf_program* program, const UprobeSite& site) {
  const std::array<unsigned long, 1> offsets{site.file_offset};
  const std::array<unsigned long, 1> counters{site.ref_ctr_offset};
  const std::array<__u64, 1> cookies{site.cookie};
  bpf_uprobe_multi_opts options{};
  options.sz = sizeof(options);
  options.offsets = offsets.data();
  options.ref_ctr_offsets = site.ref_ctr_offset != 0 ? counters.data() : nullptr;
  options.cookies = cookies.data();
  options.cnt = 1;
  options.retprobe = site.at_return;
  return bpf_program__attach_uprobe_multi(program, kAllProcesses, site.probe_path.c_str(), nullptr, &options);
}

bpf_link* attach_perf_event(const bpf_program* program, const UprobeSite& site) {
  bpf_uprobe_opts options{};
  options.sz = sizeof(options);
  options.ref_ctr_offset = site.ref_ctr_offset;
  options.bpf_cookie = site.cookie;
  options.retprobe = site.at_return;
  options.attach_mode = PROBE_ATTACH_MODE_LINK;
  return bpf_program__attach_uprobe_opts(program, kAllProcesses, site.probe_path.c_str(), site.file_offset, &options);
}

}  // namespace

bool prepare_uprobe(bpf_program* program, UprobeWay way) {
  if (way == UprobeWay::kPerfEvent) {
    return true;
  }
  const bpf_attach_type type = way == UprobeWay::kSession ? kSessionType : BPF_TRACE_UPROBE_MULTI;
  return bpf_program__set_expected_attach_type(program, type) == 0;
}

Result<Link> attach_uprobe(const bpf_program* program, UprobeWay way, const UprobeSite& site) {
  const LibbpfLog quiet;
  Link link = way == UprobeWay::kSession ? attach_session(program, site)
              : way == UprobeWay::kMulti ? Link(attach_multi(program, site))
                                         : Link(attach_perf_event(program, site));
  if (!link) {
    const int error = errno;
    return fail(kernel_error(way == UprobeWay::kPerfEvent ? Request::kPerfUprobe : Request::kUprobeMulti,
                             fmt::format("cannot attach {} to {} (file offset {:#x})",
                                         site.at_return ? "uretprobe" : "uprobe", site.shown_as, site.file_offset),
                             error));
  }
  return link;
}

namespace {

// A program that does nothing, loaded for links of the type.
UniqueFd load_empty(bpf_attach_type type) {
  const std::array<bpf_insn, 2> program{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_prog_load_opts load{};
  load.sz = sizeof(load);
  load.expected_attach_type = type;
  return UniqueFd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "rg_try", "GPL", program.data(), program.size(), &load));
}

}  // namespace

// libbpf's own test (probe_uprobe_multi_link in libbpf/src/features.c): "/" is no regular file, so a kernel that knows
// the link type says EBADF, others EINVAL.
bool kernel_has_uprobe_multi() {
  const UniqueFd loaded = load_empty(BPF_TRACE_UPROBE_MULTI);
  if (!loaded) {
    return false;
  }
  const unsigned long offset = 0;
  bpf_link_create_opts link{};
  link.sz = sizeof(link);
  link.uprobe_multi.path = "/";
  link.uprobe_multi.offsets = &offset;
  link.uprobe_multi.cnt = 1;
  const UniqueFd created(bpf_link_create(loaded.get(), -1, BPF_TRACE_UPROBE_MULTI, &link));
  return !created && errno == EBADF;
}

bool kernel_has_uprobe_session() {
  const UniqueFd loaded = load_empty(kSessionType);
  if (!loaded) {
    return false;
  }
  const UniqueFd created(create_session(loaded.get(), "/", 0, 0));
  return !created && errno == EBADF;
}

}  // namespace raceguard::kernel
