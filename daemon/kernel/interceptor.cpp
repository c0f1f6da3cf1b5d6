// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/interceptor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include <fmt/format.h>

#include "daemon/kernel/binary_file.h"
#include "daemon/kernel/kernel_error.h"
#include "daemon/kernel/libbpf_log.h"
#include "daemon/kernel/link.h"
#include "daemon/kernel/map_access.h"
#include "daemon/kernel/percpu_layout.h"
#include "daemon/kernel/uprobe.h"
#include "intercept.skel.h"

namespace raceguard::kernel {
namespace {

constexpr std::size_t kVerifierLines = 6;
// A tick is let pass by who is so near: 0.1 ms of 4, at most 2.5 % of his time.
constexpr std::int64_t kTicksAhead = 40;

struct ObjectDeleter {
  void operator()(intercept_bpf* object) const { intercept_bpf__destroy(object); }
};
using Object = std::unique_ptr<intercept_bpf, ObjectDeleter>;

// Between two ticks: the coarse clock's resolution (kernel/time/posix-timers.c). 0: not known.
std::int64_t tick_ns() {
  timespec length{};
  return ::clock_getres(CLOCK_MONOTONIC_COARSE, &length) == 0 ? length.tv_sec * 1'000'000'000 + length.tv_nsec : 0;
}

Result<Object> load(const InterceptorOptions& options, UprobeWay way) {
  const LibbpfLog log;
  Object object(intercept_bpf__open());
  if (!object) {
    return fail_errno(ErrorCode::kKernelOpen,
                      fmt::format("cannot open the intercept BPF object: {}", log.tail(kVerifierLines)), errno);
  }
  if (object->rodata->rg_intercept_abi_version != RG_INTERCEPT_ABI_VERSION) {
    return fail(ErrorCode::kKernelAbi,
                fmt::format("intercept BPF object has ABI version {}, this program {}",
                            static_cast<unsigned>(object->rodata->rg_intercept_abi_version), RG_INTERCEPT_ABI_VERSION),
                "Build both from one source tree");
  }
  object->rodata->rg_intercepted_tgid = static_cast<rg_u32>(options.pid);
  object->rodata->rg_wait_ns = static_cast<rg_u64>(options.wait_ns);
  object->rodata->rg_lease_ns = static_cast<rg_u64>(options.lease_ns);
  object->rodata->rg_dry_run = options.dry_run ? 1 : 0;
  const PercpuDistances distances = read_percpu_distances();
  object->rodata->rg_tick_distance = distances.tick;
  object->rodata->rg_preempt_distance = distances.preempt;
  object->rodata->rg_tick_ahead_ns = static_cast<rg_u64>(tick_ns() / kTicksAhead);
  const auto& programs = object->progs;
  for (bpf_program* program : {programs.rg_enter_section, programs.rg_leave_section, programs.rg_caught}) {
    if (!prepare_uprobe(program, way)) {
      return fail(ErrorCode::kInternal, "cannot set the attach type of the intercept programs");
    }
  }
  if (const int error = intercept_bpf__load(object.get()); error != 0) {
    const bool denied = error == -EPERM;  // the verifier says nothing then, and libbpf guesses
    return fail(kernel_error(Request::kLoad,
                             denied ? "cannot load the intercept BPF object"
                                    : fmt::format("cannot load the intercept BPF object: {}", log.tail(kVerifierLines)),
                             -error));
  }
  return object;
}

rg_section_figures sum_of(std::span<const rg_section_figures> of_cpus) {
  rg_section_figures sum{};
  for (const rg_section_figures& cpu : of_cpus) {
    sum.calls += cpu.calls;
    sum.foreign += cpu.foreign;
    sum.taken += cpu.taken;
    sum.reentered += cpu.reentered;
    sum.waits += cpu.waits;
    sum.wait_ns += cpu.wait_ns;
    sum.max_wait_ns = std::max(sum.max_wait_ns, cpu.max_wait_ns);
    sum.inside_ns += cpu.inside_ns;
    sum.max_inside_ns = std::max(sum.max_inside_ns, cpu.max_inside_ns);
    sum.ticks += cpu.ticks;
    sum.tick_ns += cpu.tick_ns;
    sum.preempted += cpu.preempted;
    sum.slept += cpu.slept;
    for (std::size_t i = 0; i < RG_OPEN_COUNT; ++i) {
      sum.open[i] += cpu.open[i];
    }
    for (std::size_t i = 0; i < RG_BACK_COUNT; ++i) {
      sum.back[i] += cpu.back[i];
    }
  }
  return sum;
}

}  // namespace

struct Interceptor::Impl {
  Object object;
  UprobeWay way = UprobeWay::kMulti;
  std::size_t functions = 0;
  std::vector<Link> links;

  ~Impl() { detach(std::move(links)); }

  Result<void> attach_life() {
    for (bpf_program* program :
         {object->progs.rg_intercepted_exit, object->progs.rg_intercepted_exec, object->progs.rg_intercepted_switch}) {
      Link link(bpf_program__attach(program));
      if (!link) {
        return fail(kernel_error(Request::kTracepoint,
                                 fmt::format("cannot attach BPF program {}", bpf_program__name(program)), errno));
      }
      links.push_back(std::move(link));
    }
    return {};
  }

  Result<void> attach(const bpf_program* program, const UprobeSite& site) {
    auto link = attach_uprobe(program, way, site);
    if (!link) {
      return fail(std::move(link).error());
    }
    links.push_back(std::move(*link));
    return {};
  }

  // Exits before the entry: a slot that is taken is given back.
  Result<void> attach_function(const InterceptedFunction& function, std::uint32_t index) {
    const int status = bpf_map_update_elem(bpf_map__fd(object->maps.rg_sections), &index, &function.section, BPF_ANY);
    if (status != 0) {
      return fail(map_error("write", "rg_sections", -status));
    }
    const auto file = BinaryFile::open(function.host_path, function.binary);
    if (!file) {
      return fail(file.error());
    }
    UprobeSite site;
    site.probe_path = file->probe_path();
    site.shown_as = fmt::format("{} in {}", function.symbol.demangled, function.host_path);
    if (function.exit_way == ExitWay::kReturnProbe) {
      site.cookie = index;
      site.file_offset = function.site.takes_return_probe ? function.site.file_offset : function.symbol.file_offset;
      site.at_return = true;
      if (auto attached = attach(object->progs.rg_leave_section, site); !attached) {
        return attached;
      }
    }
    site.at_return = false;
    site.cookie = std::uint64_t{function.exit_cfa_offset} << 32U | index;
    for (const symbols::FunctionExit& exit : function.exits) {
      site.file_offset = exit.file_offset;
      if (auto attached = attach(object->progs.rg_leave_section, site); !attached) {
        return attached;
      }
    }
    site.cookie = index;
    site.file_offset = function.site.file_offset;
    return attach(object->progs.rg_enter_section, site);
  }

  Result<void> attach_catch(const CatchSite& caught) {
    const auto file = BinaryFile::open(caught.host_path, caught.binary);
    if (!file) {
      return fail(file.error());
    }
    UprobeSite site;
    site.probe_path = file->probe_path();
    site.shown_as = "__cxa_begin_catch in " + caught.host_path;
    site.file_offset = caught.file_offset;
    return attach(object->progs.rg_caught, site);
  }
};

Interceptor::Interceptor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Interceptor::Interceptor(Interceptor&&) noexcept = default;
Interceptor& Interceptor::operator=(Interceptor&&) noexcept = default;
Interceptor::~Interceptor() {
  if (impl_) {
    stop();
  }
}

Result<Interceptor> Interceptor::open(const InterceptorOptions& options, std::span<const InterceptedFunction> functions,
                                      std::span<const CatchSite> catches) {
  if (functions.size() > RG_SECTIONS_MAX) {
    return fail(ErrorCode::kPlanLimit,
                fmt::format("{} functions are to be intercepted, {} at once can be", functions.size(), RG_SECTIONS_MAX),
                "Name fewer functions, or one that they all are called by");
  }
  auto impl = std::make_unique<Impl>();
  impl->way = options.allow_uprobe_multi && kernel_has_uprobe_multi() ? UprobeWay::kMulti : UprobeWay::kPerfEvent;
  impl->functions = functions.size();
  auto object = load(options, impl->way);
  if (!object) {
    return fail(std::move(object).error());
  }
  impl->object = std::move(*object);
  if (auto attached = impl->attach_life(); !attached) {
    return fail(std::move(attached).error());
  }
  for (const CatchSite& caught : catches) {
    if (auto attached = impl->attach_catch(caught); !attached) {
      return fail(std::move(attached).error());
    }
  }
  for (std::uint32_t index = 0; index < functions.size(); ++index) {
    if (auto attached = impl->attach_function(functions[index], index); !attached) {
      return fail(std::move(attached).error());
    }
  }
  impl->object->bss->rg_intercept_on = 1;
  return Interceptor(std::move(impl));
}

Result<std::vector<rg_section_figures>> Interceptor::read() const {
  std::vector<rg_section_figures> figures;
  for (std::uint32_t index = 0; index < impl_->functions; ++index) {
    const auto of_cpus = read_per_cpu<rg_section_figures>(bpf_map__fd(impl_->object->maps.rg_section_figures),
                                                          "rg_section_figures", index);
    if (!of_cpus) {
      return fail(of_cpus.error());
    }
    figures.push_back(sum_of(*of_cpus));
  }
  return figures;
}

void Interceptor::stop() { impl_->object->bss->rg_intercept_on = 0; }

bool Interceptor::is_on() const { return impl_->object->bss->rg_intercept_on != 0; }

void Interceptor::set_online_cpus(unsigned count) { impl_->object->data->rg_may_wait = count > 1 ? 1 : 0; }

}  // namespace raceguard::kernel
