// SPDX-License-Identifier: Apache-2.0
#include "daemon/sleeping_thread.h"

#include <array>
#include <cstddef>
#include <vector>

#include "daemon/kernel/process_memory.h"

namespace raceguard::app {

// The registers that the kernel does not tell stay 0: where a frame is found by one of them (a frame pointer that
// nobody saved further in) the unwinder finds no memory there, and what it has until then is true.
events::Stack sleeping_stack(const targets::ThreadReader& threads, events::StackMaker& stacks, pid_t pid, pid_t tid,
                             std::int64_t now_ns) {
  const auto call = threads.blocked_call(pid, tid);
  if (!call || !*call) {
    return {};
  }
  std::vector<std::byte> memory(RG_STACK_COPY_MAX_BYTES);
  const std::size_t copied = kernel::read_memory(pid, (*call)->stack_pointer, memory);
  events::StackRecord record;
  record.time_ns = now_ns;
  record.tgid = static_cast<std::uint32_t>(pid);
  record.tid = static_cast<std::uint32_t>(tid);
  record.registers[events::kStackPointerRegister] = (*call)->stack_pointer;
  record.registers[events::kInstructionRegister] = (*call)->instruction;
  record.stack = std::span(memory).first(copied);
  return stacks.with_names(stacks.unwind(record));
}

}  // namespace raceguard::app
