// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "daemon/kernel/feature_object.h"
#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/own_code.h"
#include "daemon/kernel/tracepoint.h"
#include "daemon/kernel/uprobe.h"
#include "daemon/kernel/watchpoint.h"
#include "features.skel.h"
#include "raceguard/unique_fd.h"

extern "C" void rg_calibrate_push();

namespace raceguard::kernel {
namespace {

// What a try found; empty error: it works.
struct Tried {
  bool works = false;
  int error = 0;
  std::string detail;
};

Tried outcome(const Error* error) {
  return error == nullptr ? Tried{true, 0, {}} : Tried{false, error->errno_value(), error->what()};
}

template <typename T>
Tried outcome(const Result<T>& result) {
  return outcome(result ? nullptr : &result.error());
}

Tried try_load(const std::string& program) {
  const std::array<std::string, 1> programs{program};
  return outcome(load_features(programs));
}

Tried try_btf() {
  btf* types = btf__load_vmlinux_btf();
  const int error = errno;
  btf__free(types);
  return types != nullptr ? Tried{true, 0, {}} : Tried{false, error, {}};
}

Tried try_ring_buffer() {
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "rg_try", 0, 0, 4096, nullptr));
  return map ? Tried{true, 0, {}} : Tried{false, errno, {}};
}

// ref_ctr_offset is tried on a word of its own, and has to count.
__attribute__((section(".probes"), used)) volatile std::uint16_t counted_word = 0;

Tried try_uprobe(UprobeWay way, bool counted) {
  const std::array<std::string, 1> programs{"rg_empty_uprobe"};
  auto object = load_features(
      programs, [way](features_bpf& opened) { static_cast<void>(prepare_uprobe(opened.progs.rg_empty_uprobe, way)); });
  if (!object) {
    return outcome(object);
  }
  const auto offset = own_file_offset(reinterpret_cast<const void*>(rg_calibrate_push));
  const auto word = own_file_offset(const_cast<const std::uint16_t*>(&counted_word));
  if (!offset || !word) {
    return {false, 0, "own code is not mapped from a file"};
  }
  UprobeSite site;
  site.probe_path = kOwnProgram;
  site.shown_as = "own function";
  site.file_offset = *offset;
  site.ref_ctr_offset = counted ? *word : 0;
  const std::uint16_t before = counted_word;
  const auto link = attach_uprobe((*object)->progs.rg_empty_uprobe, way, site);
  if (!link) {
    return outcome(link);
  }
  if (counted && counted_word == before) {
    return {false, 0, "attached, but the word was not counted up"};
  }
  return {true, 0, {}};
}

Tried try_ref_counter() {
  return try_uprobe(kernel_has_uprobe_multi() ? UprobeWay::kMulti : UprobeWay::kPerfEvent, true);
}

Tried try_watchpoint() {
  const std::array<std::string, 1> programs{"rg_empty_watch"};
  const auto object = load_features(programs);
  if (!object) {
    return outcome(object);
  }
  alignas(8) static const std::uint64_t watched = 0;
  return outcome(watch_own_writes((*object)->progs.rg_empty_watch, &watched));
}

Tried try_statistics() {
  const UniqueFd enabled(bpf_enable_stats(BPF_STATS_RUN_TIME));
  return enabled ? Tried{true, 0, {}} : Tried{false, errno, {}};
}

std::string lockdown_text() {
  std::ifstream file("/sys/kernel/security/lockdown");
  std::string text;
  return std::getline(file, text)
             ? text
             : "unknown: /sys/kernel/security/lockdown is not there (securityfs not mounted, or no lockdown)";
}

struct Try {
  const char* name;
  bool required;
  Tried (*run)();
  const char* how;
  const char* used_for;
  const char* without;
  const char* remedy;
  const char* since;
};

constexpr const char* kRights = "Give the service CAP_BPF and CAP_PERFMON";

// Commits are of Linus Torvalds's tree.
constexpr std::array kTries = {
    Try{"btf", true, try_btf, "read /sys/kernel/btf/vmlinux",
        "placing the programs' reads in this kernel's structs (CO-RE)", "raceguard does not start",
        "Run a kernel with CONFIG_DEBUG_INFO_BTF=y", "5.4 (341dfcf8d78e)"},
    Try{"ring_buffer", true, try_ring_buffer, "created a map of that type", "process events and stack samples",
        "raceguard does not start", kRights, "5.8 (457f44363a88)"},
    Try{"fentry", false, [] { return try_load("rg_try_fentry"); }, "loaded a program for __x64_sys_futex",
        "seeing futex calls without making other system calls dearer",
        "tracepoints are used, 60 to 120 ns a system call",
        "Run a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y that does not lock it down", "5.5 (fec56f5890d9)"},
    Try{"tracefs", false, [] { return outcome(TraceFs::open()); }, "opened it, mounted or as a private mount",
        "the futex tracepoints", "raw tracepoints of all system calls are used",
        "mount -t tracefs tracefs /sys/kernel/tracing, or give the service CAP_SYS_ADMIN", "4.1 (4282d60689d4)"},
    Try{"uprobe_multi", false, [] { return try_uprobe(UprobeWay::kMulti, false); }, "attached to a function of its own",
        "probes on functions with CAP_BPF and CAP_PERFMON only", "perf events are used, which need CAP_SYS_ADMIN",
        "Run Linux 6.6 or later", "6.6 (89ae89f53d20)"},
    Try{"uprobe_session", false,
        [] {
          return Tried{kernel_has_uprobe_session(), 0, "the kernel does not know the link"};
        },
        "asked for a link that must fail as only such a kernel fails",
        "one link for entry and return, and returns of some calls only",
        "two links are used; a function that is too dear is exempted and not sampled", "Run Linux 6.13 or later",
        "6.13 (d920179b3d48)"},
    Try{"perf_uprobe", false, [] { return try_uprobe(UprobeWay::kPerfEvent, false); },
        "attached to a function of its own", "probes on functions where uprobe_multi is missing",
        "nothing, if uprobe_multi is there", "Give the service CAP_SYS_ADMIN; CONFIG_UPROBE_EVENTS=y",
        "4.17 (33ea4b24277b)"},
    Try{"ref_ctr_offset", false, try_ref_counter, "counted up a word of its own", "kernel-held switch words",
        "switches reach applications by the shared page and HTTP only", "CONFIG_UPROBE_EVENTS=y",
        "4.20 (1cc33161a83d), uprobe_multi 6.6 (89ae89f53d20)"},
    Try{"watchpoint", false, try_watchpoint, "armed one on own memory with a BPF program", "proving races on variables",
        "races are not looked for", "Run on hardware (or a hypervisor) with debug registers; end other debuggers",
        "4.9 (aa6a5f3cb2b2)"},
    Try{"probe_write_user", false, [] { return try_load("rg_try_write_user"); },
        "loaded a program that calls it (not attached)", "nothing yet", "nothing", "Boot without lockdown",
        "4.8 (96ae52279594)"},
    Try{"uprobe_register_write", false, [] { return try_load("rg_try_write_register"); },
        "loaded a uprobe program that writes ax (not attached)", "redirecting a guarded function to its fallback",
        "applications switch themselves", "Run Linux 6.18 or later", "6.18 (7384893d970e)"},
    Try{"bpf_stats", false, try_statistics, "switched run-time statistics on for a moment",
        "the exact cost of each program", "costs are calibrated hits only",
        "sysctl kernel.bpf_stats_enabled=1, or CAP_SYS_ADMIN", "5.8 (d46edd671a14)"},
};

}  // namespace

std::vector<Feature> probe_features() {
  std::vector<Feature> features;
  for (const Try& attempt : kTries) {
    const Tried tried = attempt.run();
    features.push_back({attempt.name, tried.works, attempt.required, attempt.how, tried.error, tried.detail,
                        attempt.used_for, attempt.without, attempt.remedy, attempt.since});
  }
  Feature lockdown;
  lockdown.name = "lockdown";
  lockdown.available = true;
  lockdown.how = "read /sys/kernel/security/lockdown";
  lockdown.detail = lockdown_text();
  lockdown.used_for = "nothing: tells why probe_write_user may be refused";
  lockdown.since = "5.4 (000d388ed3bb)";
  features.push_back(std::move(lockdown));
  return features;
}

}  // namespace raceguard::kernel
