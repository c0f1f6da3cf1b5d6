// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/uprobe.h"

#include <bpf/bpf.h>

#include <array>
#include <cerrno>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {
namespace {

constexpr pid_t kAllProcesses = -1;

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
  return way == UprobeWay::kPerfEvent || bpf_program__set_expected_attach_type(program, BPF_TRACE_UPROBE_MULTI) == 0;
}

Result<Link> attach_uprobe(const bpf_program* program, UprobeWay way, const UprobeSite& site) {
  const LibbpfLog quiet;
  Link link(way == UprobeWay::kMulti ? attach_multi(program, site) : attach_perf_event(program, site));
  if (!link) {
    const int error = errno;
    return fail(kernel_error(way == UprobeWay::kMulti ? Request::kUprobeMulti : Request::kPerfUprobe,
                             fmt::format("cannot attach {} to {} (file offset {:#x})",
                                         site.at_return ? "uretprobe" : "uprobe", site.shown_as, site.file_offset),
                             error));
  }
  return link;
}

// libbpf's own test (probe_uprobe_multi_link in libbpf/src/features.c): "/" is no regular file, so a kernel that knows
// the link type says EBADF, others EINVAL.
bool kernel_has_uprobe_multi() {
  const std::array<bpf_insn, 2> program{
      bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      bpf_insn{.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_prog_load_opts load{};
  load.sz = sizeof(load);
  load.expected_attach_type = BPF_TRACE_UPROBE_MULTI;
  const UniqueFd loaded(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "rg_try", "GPL", program.data(), program.size(), &load));
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

}  // namespace raceguard::kernel
