// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/cpu_clock.h"

#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"
#include "raceguard/clock.h"

namespace raceguard::kernel {

// By period, not by frequency: the kernel would have to find the rate first. A software event, so that it needs no
// counter of the processor, which virtual machines seldom have.
Result<CpuClock> CpuClock::open(int program, unsigned hz, const std::vector<int>& cpus) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.sample_period = static_cast<std::uint64_t>(kNsPerSecond) / std::max(hz, 1U);
  attributes.disabled = 1;
  attributes.exclude_idle = 1;
  CpuClock clock;
  for (const int cpu : cpus) {
    constexpr pid_t kAllProcesses = -1;
    Event event;
    event.event.reset(
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, kAllProcesses, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!event.event) {
      return fail(kernel_error(Request::kPerfEvent, fmt::format("cannot open the clock event of CPU {}", cpu), errno));
    }
    event.link.reset(bpf_link_create(program, event.event.get(), BPF_PERF_EVENT, nullptr));
    if (!event.link) {
      return fail(kernel_error(Request::kPerfEvent,
                               fmt::format("cannot attach a BPF program to the clock event of CPU {}", cpu), errno));
    }
    clock.events_.push_back(std::move(event));
  }
  return clock;
}

Result<void> CpuClock::tell_all(unsigned long request) {
  for (const Event& event : events_) {
    if (::ioctl(event.event.get(), request, 0) != 0) {
      return fail(kernel_error(Request::kPerfEvent, "cannot switch the clock event of a CPU", errno));
    }
  }
  return {};
}

Result<void> CpuClock::start() { return tell_all(PERF_EVENT_IOC_ENABLE); }
Result<void> CpuClock::stop() { return tell_all(PERF_EVENT_IOC_DISABLE); }

}  // namespace raceguard::kernel
