// SPDX-License-Identifier: Apache-2.0
// Whether C++ exceptions or Rust panics may pass through functions of a file. One that passes a return probe ends the
// process: the kernel's trampoline, which is on the stack in place of the return address, has no unwind entry, so the
// unwinder takes it for the stack's end ("terminate called after throwing"; seen on 6.18).
#pragma once

namespace raceguard::symbols {

class ElfFile;

// By the names that compiled C++ and Rust refer to. A C file that is called back by C++ says no.
[[nodiscard]] bool may_see_exceptions(const ElfFile& file);

}  // namespace raceguard::symbols
