// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/unwinder.h"

#include <algorithm>
#include <array>

namespace raceguard::events {
namespace {

const targets::MappedBinary* mapping_of(std::uint64_t ip, std::span<const targets::MappedBinary> mappings) {
  const auto found = std::find_if(mappings.begin(), mappings.end(), [&](const targets::MappedBinary& mapping) {
    return ip >= mapping.start && ip < mapping.end;
  });
  return found == mappings.end() ? nullptr : &*found;
}

// A function with a return probe that has not returned yet gives this as its return address: the "[uprobes]" page, for
// which the kernel asks for the last page of user space (kernel/events/uprobes.c, xol_add_vma), with four and with five
// levels of page tables. The true address is known to the kernel alone.
constexpr std::array<std::uint64_t, 2> kReturnTrampolines = {0x7fffffffe000, 0xffffffffffe000};

bool is_return_trampoline(std::uint64_t ip) {
  return std::find(kReturnTrampolines.begin(), kReturnTrampolines.end(), ip) != kReturnTrampolines.end();
}

std::uint64_t file_offset_of(const Frame& frame) { return frame.ip - frame.binary->start + frame.binary->file_offset; }

}  // namespace

Frame Unwinder::make_frame(std::uint64_t ip, bool is_return_address, std::span<const targets::MappedBinary> mappings) {
  Frame frame{.ip = ip, .is_return_address = is_return_address, .binary = mapping_of(ip, mappings), .address = 0};
  if (frame.binary != nullptr) {
    const CallFrameInfo* info = cache_.find(*frame.binary);
    frame.address = info == nullptr ? 0 : info->address_of(file_offset_of(frame)).value_or(0);
  }
  return frame;
}

UnwoundStack Unwinder::by_frame_info(const StackRecord& record, std::span<const targets::MappedBinary> mappings,
                                     std::vector<Registers>* of_frames) {
  UnwoundStack stack;
  Registers registers = record.registers;
  const StackMemory memory(registers[kStackPointerRegister], record.stack);
  Frame frame = make_frame(registers[kInstructionRegister], false, mappings);
  CallFrameInfo::Step step{.end = StepEnd::kCaller, .signal_frame = false};
  while (step.end == StepEnd::kCaller && stack.frames.size() < kMaxFrames) {
    stack.frames.push_back(frame);
    if (of_frames != nullptr) {
      of_frames->push_back(registers);
    }
    const CallFrameInfo* info = frame.binary == nullptr ? nullptr : cache_.find(*frame.binary);
    if (info == nullptr || frame.address == 0) {
      step.end = StepEnd::kBroken;
      break;
    }
    stack.reliable_frames = stack.frames.size();
    step = info->step(frame.address - (frame.is_return_address ? 1 : 0), registers, memory);
    if (step.end == StepEnd::kCaller && is_return_trampoline(registers[kInstructionRegister])) {
      step.end = StepEnd::kAbove;  // what is known is true, and there is more
    } else if (step.end == StepEnd::kCaller) {
      frame = make_frame(registers[kInstructionRegister], !step.signal_frame, mappings);
    }
  }
  stack.complete = step.end == StepEnd::kBottom;
  stack.trust = step.end == StepEnd::kBroken ? StackTrust::kUntrusted : StackTrust::kUnwound;
  return stack;
}

UnwoundStack Unwinder::by_frame_pointers(const StackRecord& record, std::span<const targets::MappedBinary> mappings) {
  UnwoundStack stack;
  for (const std::uint64_t ip : record.frame_pointer_ips) {
    const bool is_return_address = !stack.frames.empty();
    const Frame frame = make_frame(ip, is_return_address, mappings);
    const CallFrameInfo* info = frame.binary == nullptr ? nullptr : cache_.find(*frame.binary);
    if (info == nullptr || frame.address == 0 || (is_return_address && !info->follows_call(file_offset_of(frame)))) {
      return {};
    }
    stack.frames.push_back(frame);
  }
  stack.reliable_frames = stack.frames.size();
  stack.trust = StackTrust::kFramePointers;
  return stack;
}

UnwoundStack Unwinder::unwind(const StackRecord& record, std::span<const targets::MappedBinary> mappings,
                              std::vector<Registers>& registers) {
  registers.clear();
  return by_frame_info(record, mappings, &registers);
}

UnwoundStack Unwinder::innermost(const StackRecord& record, std::span<const targets::MappedBinary> mappings) {
  UnwoundStack stack;
  stack.frames.push_back(make_frame(record.registers[kInstructionRegister], false, mappings));
  stack.reliable_frames = stack.frames.front().address != 0 ? 1 : 0;
  return stack;
}

UnwoundStack Unwinder::unwind(const StackRecord& record, std::span<const targets::MappedBinary> mappings) {
  UnwoundStack unwound = by_frame_info(record, mappings, nullptr);
  if (unwound.reliable_frames >= 2 || unwound.complete) {
    return unwound;
  }
  UnwoundStack walked = by_frame_pointers(record, mappings);
  if (walked.frames.size() >= 2) {
    return walked;
  }
  unwound.trust = StackTrust::kUntrusted;
  return unwound;
}

}  // namespace raceguard::events
