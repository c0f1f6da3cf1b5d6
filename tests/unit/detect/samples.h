// SPDX-License-Identifier: Apache-2.0
// Readings and samples as a kernel would hand them over, for the tests of this folder.
#pragma once

#include <initializer_list>
#include <string>

#include "daemon/detect/function_table.h"
#include "daemon/detect/lock_table.h"

namespace raceguard::detect::samples {

inline symbols::CodeSite site(const std::string& function, const std::string& binary = "/srv/shop",
                              std::uint32_t line = 0) {
  symbols::CodeSite made;
  made.function = function;
  made.binary = binary;
  made.address = std::hash<std::string>{}(function) ^ line;
  if (line != 0) {
    made.source = symbols::SourceLine{.file = "/src/server.cpp", .line = line};
  }
  return made;
}

inline events::Stack stack(std::initializer_list<symbols::CodeSite> frames) {
  events::Stack made;
  made.frames = frames;
  made.trust = events::StackTrust::kUnwound;
  made.reliable_frames = made.frames.size();
  return made;
}

inline events::Stack lock_stack(const symbols::CodeSite& caller) {
  return stack({site("", "/lib/x86_64-linux-gnu/libc.so.6"),
                site("pthread_mutex_lock", "/lib/x86_64-linux-gnu/libc.so.6"), caller, site("worker()")});
}

inline events::LockStackEvent waiter(const events::Stack& stack, std::uint64_t address, std::int64_t wait_ns) {
  events::LockStackEvent event;
  event.role = events::LockStackEvent::Role::kWaiter;
  event.lock_address = address;
  event.wait_ns = wait_ns;
  event.pid = 7;
  event.tid = 8;
  event.stack = stack;
  return event;
}

inline events::LockStackEvent holder(const events::Stack& stack, std::uint64_t address) {
  events::LockStackEvent event = waiter(stack, address, 0);
  event.role = events::LockStackEvent::Role::kHolder;
  return event;
}

inline LockInput lock(std::uint64_t address, std::uint64_t waits, std::uint64_t each_ns, pid_t pid = 7) {
  LockInput input;
  input.key.address = address;
  input.key.tgid = static_cast<std::uint32_t>(pid);
  input.counters.waits = waits;
  input.counters.total_ns = waits * each_ns;
  input.counters.max_ns = each_ns;
  input.counters.wait_class = RG_WAIT_LOCK;
  input.counters.histogram[rg_histogram_bucket(each_ns)] = static_cast<std::uint32_t>(waits);
  return input;
}

inline FunctionInput function(std::uint32_t id, std::uint64_t calls, std::uint64_t slow, std::uint64_t errors,
                              std::uint64_t each_ns) {
  FunctionInput input;
  input.function_id = id;
  input.counters.calls = calls;
  input.counters.returns = calls;
  input.counters.slow = slow;
  input.counters.errors = errors;
  input.counters.total_ns = calls * each_ns;
  input.counters.max_ns = each_ns;
  input.counters.histogram[rg_histogram_bucket(each_ns)] = calls;
  return input;
}

}  // namespace raceguard::detect::samples
