// SPDX-License-Identifier: Apache-2.0
// What the tests share: an attachment with small maps, by each way of probing, and waiting for a condition.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "daemon/kernel/attachment.h"

namespace raceguard::test {

inline std::string all_of(const std::vector<Error>& errors) {
  std::string text;
  for (const Error& error : errors) {
    text += error.to_string() + "\n";
  }
  return text;
}

inline kernel::AttachmentOptions small_options() {
  kernel::AttachmentOptions options;
  options.max_functions = 16;
  options.max_locks = 1024;
  options.max_targets = 64;
  options.max_calls_in_flight = 1024;
  options.ring_bytes = 1U << 20U;
  return options;
}

inline kernel::Attachment open_or_throw(const kernel::AttachmentOptions& options) {
  auto attachment = kernel::Attachment::open(options);
  if (!attachment) {
    throw std::runtime_error(attachment.error().to_string());
  }
  return std::move(*attachment);
}

// Until the condition holds, at most 20 s: the machine may be busy.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline rg_function_counters figures_of(const kernel::Attachment& attachment, std::uint32_t function_id) {
  const auto readings = attachment.read_functions().value();
  for (const kernel::FunctionReading& reading : readings) {
    if (reading.function_id == function_id) {
      return reading.sum;
    }
  }
  throw std::runtime_error("no such function");
}

inline std::vector<kernel::LockReading> all_locks(const kernel::Attachment& attachment) {
  auto locks = attachment.read_locks();
  return locks ? std::move(*locks) : throw std::runtime_error(locks.error().to_string());
}

inline rg_lock_counters lock_at(const kernel::Attachment& attachment, pid_t tgid, std::int64_t address) {
  for (const kernel::LockReading& reading : all_locks(attachment)) {
    if (reading.key.tgid == static_cast<rg_u32>(tgid) && reading.key.address == static_cast<rg_u64>(address)) {
      return reading.counters;
    }
  }
  return {};
}

inline std::uint64_t dropped(const kernel::Attachment& attachment, rg_drop_reason reason) {
  return attachment.read_drops().value().at(reason);
}

// Where a thread is preempted inside a BPF program, the kernel skips that program for the threads that come to it on
// the same CPU meanwhile, and counts each skip; so it does with perf programs during a bpf() call on a map. Seldom on a
// real machine; in an emulated one each fifth burst of three waits loses one. Turning preemption off inside the program
// only moves the preemption to its end, where it still counts as running. So what the tests expect to be seen may be
// missing by what was skipped, of any process.
inline std::uint64_t missed(const kernel::Attachment& attachment) {
  return dropped(attachment, RG_DROP_PROGRAM_MISSED);
}

inline bool all_seen_or_missed(const kernel::Attachment& attachment, std::uint64_t seen, std::uint64_t expected) {
  return seen <= expected && seen + missed(attachment) >= expected;
}

}  // namespace raceguard::test
