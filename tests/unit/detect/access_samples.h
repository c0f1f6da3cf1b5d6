// SPDX-License-Identifier: Apache-2.0
// Accesses as the events stage hands them over.
#pragma once

#include <string>

#include "daemon/detect/race_judge.h"

namespace raceguard::detect::samples {

inline constexpr std::uint64_t kAddress = 0x5000;

struct AccessSample {
  std::uint64_t ip = 0x1010;
  symbols::AccessMode mode = symbols::AccessMode::kWrite;
  pid_t tid = 11;
  std::uint8_t width = 8;
  bool atomic = false;
  std::uint64_t address = kAddress;
  bool lost = false;
  bool string_instruction = false;
};

// `mov [rax], ...` four bytes long, with rax in the registers.
inline events::AccessEvent access(const AccessSample& sample) {
  events::AccessEvent event;
  event.ip = sample.ip;
  event.pid = 7;
  event.tid = sample.tid;
  event.registers[0] = sample.address;
  symbols::AccessInstruction instruction;
  instruction.address = sample.ip - 4;
  instruction.length = 4;
  instruction.text = "mov";
  symbols::MemoryAccess memory;
  memory.mode = sample.mode;
  memory.width_bytes = sample.width;
  memory.atomic = sample.atomic;
  memory.string_instruction = sample.string_instruction;
  memory.where.base = 0;
  memory.where.lost = sample.lost;
  instruction.accesses.push_back(memory);
  event.instruction = instruction;
  symbols::CodeSite code;
  code.function = "f" + std::to_string(sample.ip);
  code.address = instruction.address;
  event.stack.frames.push_back(code);
  return event;
}

inline events::AccessEvent in_order(events::AccessEvent event, rg_access_role role, std::uint64_t generation,
                                    std::uint64_t pair = 0) {
  event.role = role;
  event.generation = generation;
  event.pair = pair;
  event.overlaps = role == RG_ACCESS_HELD && pair != 0 ? 1 : 0;
  return event;
}

inline WatchedBytes bytes(symbols::VariableKind kind, std::uint32_t length = 8) {
  return {.address = kAddress, .length = length, .kind = kind, .atomic_access_seen = false};
}

inline WatchSubject subject(symbols::VariableKind kind = symbols::VariableKind::kPlain) {
  WatchSubject made;
  made.address = kAddress;
  made.length = 8;
  made.variable.name = "counter";
  made.variable.kind = kind;
  made.variable.address = kAddress;
  made.variable.global = true;
  made.locks.push_back({.name = "counter_lock", .address = 0x6000, .kind = RG_LOCK_PTHREAD_MUTEX});
  return made;
}

}  // namespace raceguard::detect::samples
