// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/decoder.h"

#include <utility>

#include "daemon/events/lock_functions.h"

namespace raceguard::events {

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
      stacks_.forget(static_cast<pid_t>(process->tgid));
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
  return events::lock_stack_event(record, stacks_.with_names(unwound));
}

UnwoundStack Decoder::unwind(const StackRecord& record) {
  UnwoundStack unwound = stacks_.unwind(record);
  counters_.unknown_process += mappings_.mappings(static_cast<pid_t>(record.tgid)).empty() ? 1 : 0;
  return unwound;
}

}  // namespace raceguard::events
