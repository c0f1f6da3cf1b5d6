// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/decoder.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "daemon/events/lock_functions.h"
#include "raceguard/clock.h"

namespace raceguard::events {
namespace {

// Reading a process's maps costs some 0.2 ms; a broken stack must not make us do it for every sample.
constexpr std::int64_t kRefreshIntervalNs = kNsPerSecond;
constexpr std::size_t kRefreshesRemembered = 1024;

bool left_the_mappings(const UnwoundStack& stack) {
  return std::any_of(stack.frames.begin(), stack.frames.end(),
                     [](const Frame& frame) { return frame.binary == nullptr; });
}

}  // namespace

ProcessEvent process_event(const rg_record_process& record) {
  ProcessEvent event;
  event.kind = record.event == RG_PROCESS_FORK   ? ProcessEvent::Kind::kFork
               : record.event == RG_PROCESS_EXEC ? ProcessEvent::Kind::kExec
                                                 : ProcessEvent::Kind::kExit;
  event.time_ns = static_cast<std::int64_t>(record.time_ns);
  event.pid = static_cast<pid_t>(record.tgid);
  event.parent_pid = static_cast<pid_t>(record.parent_tgid);
  event.uid = record.uid;
  event.was_target = record.was_target != 0;
  event.comm = record.comm;
  return event;
}

LockStackEvent lock_stack_event(const StackRecord& record, Stack stack) {
  using WaitKind = LockStackEvent::WaitKind;
  LockStackEvent event;
  event.role = record.role == RG_STACK_HOLDER ? LockStackEvent::Role::kHolder : LockStackEvent::Role::kWaiter;
  event.wait_kind =
      wait_kind_of(stack).value_or(record.wait_class == RG_WAIT_CONDITION ? WaitKind::kCondition : WaitKind::kLock);
  event.time_ns = record.time_ns;
  event.lock_address = record.address;
  event.wait_ns = record.role == RG_STACK_HOLDER ? 0 : record.duration_ns;
  event.pid = static_cast<pid_t>(record.tgid);
  event.tid = static_cast<pid_t>(record.tid);
  event.owner_tid = static_cast<pid_t>(record.owner_tid);
  event.stack = std::move(stack);
  return event;
}

Result<Event> Decoder::decode(std::span<const std::byte> bytes) {
  const auto raw = events::decode(bytes);
  if (!raw) {
    ++counters_.malformed;
    return fail(raw.error());
  }
  ++counters_.decoded;
  if (const auto* process = std::get_if<rg_record_process>(&*raw)) {
    if (process->event != RG_PROCESS_FORK) {
      refreshed_ns_.erase(static_cast<pid_t>(process->tgid));
    }
    return process_event(*process);
  }
  return lock_stack_event(std::get<StackRecord>(*raw));
}

LockStackEvent Decoder::lock_stack_event(const StackRecord& record) {
  const UnwoundStack unwound = unwind(record);
  counters_.unwound += unwound.trust == StackTrust::kUnwound ? 1 : 0;
  counters_.frame_pointers += unwound.trust == StackTrust::kFramePointers ? 1 : 0;
  counters_.untrusted += unwound.trust == StackTrust::kUntrusted ? 1 : 0;
  return events::lock_stack_event(record, with_names(unwound));
}

UnwoundStack Decoder::unwind(const StackRecord& record) {
  const auto pid = static_cast<pid_t>(record.tgid);
  const auto known = mappings_.mappings(pid);
  UnwoundStack unwound = unwinder_.unwind(record, known);
  if (left_the_mappings(unwound) && may_refresh(pid, record.time_ns) && mappings_.refresh(pid)) {
    unwound = unwinder_.unwind(record, mappings_.mappings(pid));
  }
  counters_.unknown_process += mappings_.mappings(pid).empty() ? 1 : 0;
  return unwound;
}

bool Decoder::may_refresh(pid_t pid, std::int64_t now_ns) {
  if (refreshed_ns_.size() >= kRefreshesRemembered) {
    refreshed_ns_.clear();
  }
  const auto [entry, is_new] = refreshed_ns_.try_emplace(pid, now_ns);
  if (!is_new && now_ns - entry->second < kRefreshIntervalNs) {
    return false;
  }
  entry->second = now_ns;
  return true;
}

symbols::CodeSite Decoder::name(const Frame& frame) {
  if (frame.binary != nullptr && frame.address != 0) {
    return symboliser_.resolve(*frame.binary, frame.address, frame.is_return_address);
  }
  symbols::CodeSite site;
  site.address = frame.ip;
  return site;
}

// Inlined functions become frames of their own, as a debugger shows them: who wanted the lock may be one of them.
Stack Decoder::with_names(const UnwoundStack& unwound) {
  Stack stack;
  stack.trust = unwound.trust;
  stack.complete = unwound.complete;
  for (std::size_t i = 0; i < unwound.frames.size(); ++i) {
    symbols::CodeSite site = name(unwound.frames[i]);
    for (symbols::InlinedCall& call : std::exchange(site.inlined, {})) {
      symbols::CodeSite inlined = site;
      inlined.function = std::move(call.function);
      inlined.source = std::move(call.source);
      stack.frames.push_back(std::move(inlined));
    }
    stack.frames.push_back(std::move(site));
    stack.reliable_frames = i < unwound.reliable_frames ? stack.frames.size() : stack.reliable_frames;
  }
  return stack;
}

}  // namespace raceguard::events
