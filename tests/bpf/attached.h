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

// A kernel that preempts inside BPF programs (CONFIG_PREEMPT, PREEMPT_LAZY) skips a fentry or raw tracepoint program
// for a thread that comes to it on the CPU where another was preempted in it; it counts each skip. So what a test
// expects was seen `expected` times, or less by what was skipped (by any program and for any process).
inline bool all_seen_or_missed(const kernel::Attachment& attachment, std::uint64_t seen, std::uint64_t expected) {
  return seen <= expected && seen + dropped(attachment, RG_DROP_PROGRAM_MISSED) >= expected;
}

}  // namespace raceguard::test
