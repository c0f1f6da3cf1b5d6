// SPDX-License-Identifier: Apache-2.0
// Does the code write back what it computed from what it read? Plain instructions that do so are no atomic update, so
// an overlapping write is lost: what tells a race from a flag that is only set, where no type says what is atomic.
#pragma once

#include "daemon/symbols/access.h"

namespace raceguard::symbols {

// True if a plain (not locked) access of `instruction` is part of a read-modify-write of one memory operand:
//  - one instruction: add [m],1; inc [m]; xadd [m],reg; cmpxchg [m],reg without a lock prefix (not string
//  instructions);
//  - a load of [m] into a register, arithmetic on it, and a store of the result to the same [m] with the same width, in
//    one function: mov eax,[m]; add eax,1; mov [m],eax. True for the load's instruction and for the store's, also for
//    add eax,[m]; mov [m],eax. The value may pass through other registers and through stack slots ([rbp-8], [rsp+16]);
//    the operand is the same if its base and index hold the same value, also if they were loaded again from one stack
//    slot (`this` at -O0). The way from the load to the store is straight: no call, no jump, and no branch target in
//    between; a conditional branch that is not taken may be (if (n < max) n = n + 1; overflow checks of Rust).
// Not recognised (false): a store of the value as it was read; a value that went through a call, through a condition
// (x = x ? 1 : 2) or through an address (head = head->next); loops that keep it in a register.
// An atomic used as a.store(a.load(relaxed) + 1, relaxed) compiles to the same instructions (clang even to one `inc`).
// With a single writer that is correct, so this alone proves no race: the other side has to write as well.
bool writes_what_it_read(const ElfFile& file, const AccessInstruction& instruction);

}  // namespace raceguard::symbols
