// SPDX-License-Identifier: Apache-2.0
// Which memory a thread is about to touch, from its registers at one place: its next instructions are followed as far
// as the values they compute with are known.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "daemon/symbols/access.h"

namespace raceguard::symbols {

struct TouchedAddress {
  std::uint64_t address = 0;      // in the process
  std::uint64_t instruction = 0;  // virtual address in the file
  MemoryAccess access;
};

// By DWARF number (rax rdx rcx rbx rsi rdi rbp rsp r8..r15); nothing: not known.
using KnownRegisters = std::array<std::optional<std::uint64_t>, 16>;

// Eight bytes of the process's memory; nothing: not known.
using WordReader = std::function<std::optional<std::uint64_t>(std::uint64_t address)>;

// The data that the instructions from `ip` (virtual address in the file) on would touch, both ways of each conditional
// branch, without what calls do (they leave the registers that the System V ABI says they keep) and without the
// thread's own stack frame. Plain accesses only: what has a lock prefix is none, as in MemoryAccess. Moves, loads by
// way of `read`, and simple arithmetic are computed; what else writes a register makes it unknown. At most 64
// instructions. A guess: memory may have changed since it was read, and a branch may never go that way. Good for a
// place to look at, no evidence of anything.
std::vector<TouchedAddress> touched_next(const ElfFile& file, std::uint64_t ip, const KnownRegisters& registers,
                                         std::uint64_t load_bias, const WordReader& read);

// The instructions of the function around `address` that access data through registers, neither on the stack nor
// atomically: whose addresses are worth learning. By address; empty: no function is known there.
std::vector<std::uint64_t> memory_instructions(const ElfFile& file, std::uint64_t address);

}  // namespace raceguard::symbols
