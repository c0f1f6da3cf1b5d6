// SPDX-License-Identifier: Apache-2.0
// futex_cost [ROUNDS]: what the contention watch adds to system calls of a target: to a futex wait that ends at once
// (EAGAIN, so that no scheduler is in the figure), to a wake of a word that somebody waited on, and to a call that has
// nothing to do with locks. One JSON line a round, hook and call: in turns without and with the watch.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include <fmt/core.h>

#include "daemon/kernel/attachment.h"
#include "tests/bench/programs/timing.h"

namespace raceguard::bench {
namespace {

std::uint32_t word = 0;

struct Call {
  const char* name;
  double (*ns)(const Batches&);
};

constexpr std::array kCalls = {
    Call{"wait",
         [](const Batches& batches) {
           return ns_per_run(batches, [] { ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, nullptr, nullptr, 0); });
         }},
    Call{"wake",
         [](const Batches& batches) {
           return ns_per_run(batches, [] { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); });
         }},
    Call{"other", [](const Batches& batches) { return ns_per_run(batches, [] { ::syscall(SYS_getppid); }); }},
};

struct Hook {
  const char* name;
  kernel::FutexHook hook;
};

constexpr std::array kHooks = {
    Hook{"function", kernel::FutexHook::kFunction},
    Hook{"tracepoint", kernel::FutexHook::kTracepoint},
    Hook{"raw tracepoint", kernel::FutexHook::kRawTracepoint},
};

// The watch on this process. Empty where the kernel has not this hook, but a later one.
std::optional<kernel::Attachment> watch(kernel::FutexHook hook) {
  auto attachment = kernel::Attachment::open({.max_functions = 16, .max_targets = 64, .first_futex_hook = hook});
  if (!attachment) {
    throw std::runtime_error(attachment.error().to_string());
  }
  if (attachment->futex_hook() != hook) {
    return std::nullopt;
  }
  plan::PlanDifference difference;
  difference.add_targets = {{.id = {.pid = ::getpid()}, .guard_index = 1, .contention = true}};
  for (const Error& error : attachment->apply(difference)) {
    throw std::runtime_error(error.to_string());
  }
  return std::move(*attachment);
}

void measure(const Hook& hook) {
  const Batches batches;
  std::array<double, kCalls.size()> bare{};
  for (std::size_t i = 0; i < kCalls.size(); ++i) {
    bare.at(i) = kCalls.at(i).ns(batches);
  }
  const auto attachment = watch(hook.hook);
  if (!attachment) {
    return;
  }
  for (std::size_t i = 0; i < kCalls.size(); ++i) {
    fmt::print(R"({{"hook": "{}", "call": "{}", "bare_ns": {:.1f}, "added_ns": {:.1f}}})"
               "\n",
               hook.name, kCalls.at(i).name, bare.at(i), kCalls.at(i).ns(batches) - bare.at(i));
  }
}

}  // namespace
}  // namespace raceguard::bench

int main(int argc, char** argv) {
  using namespace raceguard::bench;
  try {
    for (int round = argc > 1 ? std::atoi(argv[1]) : 10; round > 0; --round) {
      for (const Hook& hook : kHooks) {
        measure(hook);
      }
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "futex_cost: {}\n", error.what());
    return 1;
  }
  return 0;
}
