// SPDX-License-Identifier: Apache-2.0
// record_events PID SECONDS [FILE]: watches the contention of a live process through the BPF programs, prints what its
// stacks cost and how many can be trusted, the dearest locks, and optionally writes a recording. Needs root.
#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <vector>

#include "daemon/detect/lock_table.h"
#include "daemon/detect/site_text.h"
#include "daemon/events/decoder.h"
#include "daemon/events/names.h"
#include "daemon/events/recording.h"
#include "daemon/kernel/attachment.h"
#include "daemon/targets/process_reader.h"
#include "raceguard/clock.h"

namespace {

using namespace raceguard;  // NOLINT(google-build-using-namespace): a tool of one file

class ProcessMappings final : public events::MappingSource {
 public:
  explicit ProcessMappings(targets::ProcessId id) : id_(id) { refresh(id.pid); }
  std::span<const targets::MappedBinary> mappings(pid_t pid) override {
    return pid == id_.pid ? std::span<const targets::MappedBinary>(binaries_)
                          : std::span<const targets::MappedBinary>{};
  }
  bool refresh(pid_t pid) override {
    if (auto read = targets::ProcessReader("/proc").read_binaries(id_); pid == id_.pid && read) {
      binaries_ = std::move(*read);
      return true;
    }
    return false;
  }

 private:
  targets::ProcessId id_;
  std::vector<targets::MappedBinary> binaries_;
};

long resident_kb() {
  std::ifstream file("/proc/self/status");
  std::string key;
  long value = 0;
  while (file >> key) {
    if (key == "VmRSS:" && file >> value) {
      break;
    }
  }
  return value;
}

void print_lock(const detect::LockFigures& lock) {
  fmt::print("{} x {} ({}), longest {}\n", lock.waits, lock.name,
             lock.wait_kind == events::LockStackEvent::WaitKind::kCondition ? "condition" : "lock",
             detect::duration_text(lock.longest_wait_ns));
  for (const auto& site : lock.waiters) {
    fmt::print("   waited {} x {} in {}\n", site.count, detect::duration_text(site.total_wait_ns),
               detect::caller_text(*site.stack));
  }
  for (const auto& site : lock.holders) {
    fmt::print("   let go {} x in {}\n", site.count, detect::caller_text(*site.stack));
  }
}

// The kernel tells of every process that starts, to find targets.
bool concerns(const events::Event& event, pid_t pid) {
  const auto* process = std::get_if<events::ProcessEvent>(&event);
  return process == nullptr || process->pid == pid || process->parent_pid == pid;
}

constexpr std::uint64_t kRecordingLimitBytes = 150'000;  // a recording is checked in

int die(const std::string& text) {
  fmt::print(stderr, "record_events: {}\n", text);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    return die("usage: record_events PID SECONDS [FILE]");
  }
  const auto identity = targets::ProcessReader("/proc").read_identity(static_cast<pid_t>(std::stol(argv[1])));
  if (!identity) {
    return die(identity.error().to_string());
  }
  kernel::AttachmentOptions options;
  options.max_functions = 1;
  options.ring_bytes = 4U << 20U;
  auto attachment = kernel::Attachment::open(options);
  if (!attachment) {
    return die(attachment.error().to_string());
  }
  plan::PlanDifference difference;
  difference.add_targets.push_back({.id = identity->id, .guard_index = 0, .contention = true, .functions = false});
  for (const Error& error : attachment->apply(difference)) {
    return die(error.to_string());
  }

  ProcessMappings mappings(identity->id);
  symbols::Resolver resolver;
  events::ResolverSymboliser symboliser(resolver);
  events::Decoder decoder(mappings, symboliser);
  detect::LockTable locks({.max_locks = 8192,
                           .data_symbol =
                               [&](const detect::LockId& id) {
                                 return events::data_symbol(resolver, mappings.mappings(id.pid), id.address);
                               },
                           .guard_of = [](pid_t) { return std::string("live"); }});
  std::vector<events::Recorder> recorder;
  if (argc > 3) {
    auto created = events::Recorder::create(argv[3]);
    if (!created) {
      return die(created.error().to_string());
    }
    recorder.push_back(std::move(*created));
  }

  const SystemClock clock;
  const long resident_before = resident_kb();
  const std::int64_t end_ns = clock.monotonic_ns() + std::stol(argv[2]) * kNsPerSecond;
  std::vector<std::int64_t> costs_ns;
  while (clock.monotonic_ns() < end_ns) {
    pollfd wait{.fd = attachment->ring_epoll_fd(), .events = POLLIN, .revents = 0};
    poll(&wait, 1, 100);
    (void)attachment->drain([&](std::span<const std::byte> raw) {
      const std::int64_t before_ns = clock.monotonic_ns();
      const auto event = decoder.decode(raw);
      costs_ns.push_back(clock.monotonic_ns() - before_ns);
      if (event && std::holds_alternative<events::LockStackEvent>(*event)) {
        locks.add(std::get<events::LockStackEvent>(*event));
      }
      for (events::Recorder& file : recorder) {
        if (event && concerns(*event, identity->id.pid) && file.bytes_written() < kRecordingLimitBytes) {
          (void)file.add(raw, *event);
        }
      }
    });
    std::vector<detect::LockInput> inputs;
    for (const kernel::LockReading& reading : attachment->read_locks().value_or(std::vector<kernel::LockReading>{})) {
      inputs.push_back({.key = reading.key, .counters = reading.counters});
    }
    locks.update(clock.monotonic_ns(), inputs);
  }

  const events::DecoderCounters& counters = decoder.counters();
  std::sort(costs_ns.begin(), costs_ns.end());
  fmt::print("stacks: {} unwound, {} by frame pointers, {} untrusted\n", counters.unwound, counters.frame_pointers,
             counters.untrusted);
  if (!costs_ns.empty()) {
    fmt::print("a record, decoded, unwound and named: median {}, 99th percentile {}, longest {}\n",
               detect::duration_text(costs_ns[costs_ns.size() / 2]),
               detect::duration_text(costs_ns[costs_ns.size() * 99 / 100]), detect::duration_text(costs_ns.back()));
  }
  fmt::print("memory: resident {} KB before the first stack, {} KB now; {} frame tables of {} KB\n", resident_before,
             resident_kb(), decoder.frame_info().files(), decoder.frame_info().bytes_in_memory() / 1024);
  for (const detect::LockFigures& lock : locks.figures(8)) {
    print_lock(lock);
  }
  return 0;
}
