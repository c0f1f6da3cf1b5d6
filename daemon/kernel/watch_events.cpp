// SPDX-License-Identifier: Apache-2.0
#include "daemon/kernel/watch_events.h"

#include <bpf/bpf.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "daemon/kernel/kernel_error.h"

namespace raceguard::kernel {
namespace {

constexpr const char* kOnlineCpus = "/sys/devices/system/cpu/online";
constexpr std::uint64_t kNowhere = 8;  // until the first move(): in the page that nobody maps

// Everything but address, kind and length has to be the same when an event is moved: the kernel compares.
perf_event_attr attributes_of(std::uint64_t address, std::uint32_t kind, std::uint32_t length) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_BREAKPOINT;
  attributes.size = sizeof(attributes);
  attributes.bp_type = kind;
  attributes.bp_addr = address;
  attributes.bp_len = length;
  attributes.sample_period = 1;
  attributes.disabled = 1;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return attributes;
}

tl::unexpected<Error> event_error(std::string what, int error) {
  return fail(kernel_error(Request::kPerfEvent, std::move(what), error));
}

}  // namespace

Result<std::vector<int>> online_cpus() {
  std::ifstream file(kOnlineCpus);
  std::string range;
  std::vector<int> cpus;
  while (std::getline(file, range, ',')) {  // "0-3,5"
    int first = 0;
    const char* end = range.data() + range.size();
    const auto parsed = std::from_chars(range.data(), end, first);
    int last = first;
    if (parsed.ec == std::errc{} && parsed.ptr != end && *parsed.ptr == '-') {
      std::from_chars(parsed.ptr + 1, end, last);
    }
    for (int cpu = first; parsed.ec == std::errc{} && cpu <= last; ++cpu) {
      cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) {
    return fail(ErrorCode::kKernelUnsupported, fmt::format("cannot learn the online CPUs from {}", kOnlineCpus),
                "Mount sysfs at /sys");
  }
  return cpus;
}

Result<WatchEvents> WatchEvents::open(int program, std::uint64_t slot, const std::vector<int>& cpus) {
  WatchEvents events;
  for (const int cpu : cpus) {
    perf_event_attr attributes = attributes_of(kNowhere, HW_BREAKPOINT_RW, HW_BREAKPOINT_LEN_1);
    constexpr pid_t kAllProcesses = -1;
    Event event;
    event.event.reset(
        static_cast<int>(::syscall(SYS_perf_event_open, &attributes, kAllProcesses, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!event.event) {
      return event_error(fmt::format("cannot open hardware watchpoint {} on CPU {}", slot, cpu), errno);
    }
    // libbpf's own attach function would put the event on, without a limit.
    bpf_link_create_opts options{};
    options.sz = sizeof(options);
    options.perf_event.bpf_cookie = slot;
    event.link.reset(bpf_link_create(program, event.event.get(), BPF_PERF_EVENT, &options));
    if (!event.link) {
      return event_error(fmt::format("cannot attach a BPF program to hardware watchpoint {} on CPU {}", slot, cpu),
                         errno);
    }
    events.events_.push_back(std::move(event));
  }
  return events;
}

Result<void> WatchEvents::move(std::uint64_t address, std::uint32_t length) {
  return move_all(address, HW_BREAKPOINT_RW, length);
}

// x86 wants this length for an instruction, whatever its own.
Result<void> WatchEvents::move_to_code(std::uint64_t address) {
  return move_all(address, HW_BREAKPOINT_X, sizeof(long));
}

Result<void> WatchEvents::move_all(std::uint64_t address, std::uint32_t kind, std::uint32_t length) {
  perf_event_attr attributes = attributes_of(address, kind, length);
  on_ = false;
  for (const Event& event : events_) {
    if (::ioctl(event.event.get(), PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &attributes) != 0) {
      const int error = errno;
      static_cast<void>(stop());
      return event_error(fmt::format("cannot move a hardware watchpoint to {} bytes at {:#x}", length, address), error);
    }
  }
  return {};
}

Result<std::uint64_t> WatchEvents::hits_of(const Event& event) {
  std::uint64_t count = 0;
  if (::read(event.event.get(), &count, sizeof count) != sizeof count) {
    return event_error("cannot read a hardware watchpoint's count", errno);
  }
  return count;
}

Result<void> WatchEvents::allow(std::uint32_t hits) {
  on_ = true;
  for (Event& event : events_) {
    const auto seen = hits_of(event);
    if (!seen) {
      return fail(seen.error());
    }
    const std::uint64_t left = event.allowed > *seen ? event.allowed - *seen : 0;
    // Never 0: an event without an allowance has no limit once it is on.
    const std::uint64_t more = hits > left ? hits - left : 1;
    if (::ioctl(event.event.get(), PERF_EVENT_IOC_REFRESH, static_cast<int>(more)) != 0) {
      return event_error(fmt::format("cannot allow {} hits on a hardware watchpoint", hits), errno);
    }
    // An event whose allowance ran out is marked as stopped by newer kernels (seen on 6.18), and stays deaf when it is
    // put on again: hw_breakpoint_add() does not clear the mark. Setting the period, to what it is, restarts it.
    const std::uint64_t period = attributes_of(0, 0, 0).sample_period;
    if (left == 0 && ::ioctl(event.event.get(), PERF_EVENT_IOC_PERIOD, &period) != 0) {
      return event_error("cannot restart a hardware watchpoint", errno);
    }
    event.allowed = std::max(event.allowed, *seen) + more;
  }
  return {};
}

Result<void> WatchEvents::stop() {
  on_ = false;
  for (const Event& event : events_) {
    if (::ioctl(event.event.get(), PERF_EVENT_IOC_DISABLE, 0) != 0) {
      return event_error("cannot put off a hardware watchpoint", errno);
    }
  }
  return {};
}

Result<std::uint64_t> WatchEvents::remaining() const {
  std::uint64_t left = 0;
  for (const Event& event : events_) {
    const auto seen = hits_of(event);
    if (!seen) {
      return seen;
    }
    left += on_ && event.allowed > *seen ? event.allowed - *seen : 0;
  }
  return left;
}

Result<std::uint64_t> WatchEvents::hits() const {
  std::uint64_t sum = 0;
  for (const Event& event : events_) {
    const auto seen = hits_of(event);
    if (!seen) {
      return seen;
    }
    sum += *seen;
  }
  return sum;
}

}  // namespace raceguard::kernel
