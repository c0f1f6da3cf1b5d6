// SPDX-License-Identifier: Apache-2.0
#include "tests/replay/event_text.h"

#include <fmt/format.h>

namespace raceguard::events {
namespace {

std::string process_text(const ProcessEvent& event) {
  const char* kind = event.kind == ProcessEvent::Kind::kFork   ? "fork"
                     : event.kind == ProcessEvent::Kind::kExec ? "exec"
                                                               : "exit";
  return fmt::format("{} pid {} parent {} {}\n", kind, event.pid, event.parent_pid, event.comm);
}

std::string stack_text(const LockStackEvent& event) {
  const char* role = event.role == LockStackEvent::Role::kHolder ? "holder" : "waiter";
  const char* kind = event.wait_kind == LockStackEvent::WaitKind::kCondition ? "condition" : "lock";
  const char* trust = event.stack.trust == StackTrust::kUnwound         ? "unwound"
                      : event.stack.trust == StackTrust::kFramePointers ? "frame pointers"
                                                                        : "untrusted";
  std::string text = fmt::format("{} of {} {:#x} tid {} {} ns, {}{}\n", role, kind, event.lock_address, event.tid,
                                 event.wait_ns, trust, event.stack.complete ? ", complete" : "");
  std::size_t number = 0;
  for (const symbols::CodeSite& frame : event.stack.frames) {
    text += fmt::format("  {}{} {}+{:#x} {}{}\n", number < event.stack.reliable_frames ? "#" : "?", number,
                        frame.function.empty() ? "-" : frame.function, frame.function_offset, frame.binary,
                        frame.source ? fmt::format(" {}:{}", frame.source->file, frame.source->line) : std::string{});
    ++number;
  }
  return text;
}

}  // namespace

std::string event_text(const Event& event) {
  const auto* process = std::get_if<ProcessEvent>(&event);
  return process != nullptr ? process_text(*process) : stack_text(std::get<LockStackEvent>(event));
}

}  // namespace raceguard::events
