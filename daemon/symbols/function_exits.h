// SPDX-License-Identifier: Apache-2.0
// Every instruction by which a function is left for its caller, for those who cannot use a return probe: that puts an
// address of its own onto the stack, and a C++ exception, a Rust panic or a moved Go stack that comes by ends the
// program ("terminate called after throwing": there is no unwind entry for the kernel's trampoline).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/symbols/symbol.h"
#include "raceguard/error.h"

namespace raceguard::symbols {

class ElfFile;

struct FunctionExit {
  std::uint64_t address = 0;
  std::uint64_t file_offset = 0;
  std::string instruction;  // "ret", "jmp 0x4010"
  SiteKind kind = SiteKind::kRefused;
  bool is_return = false;  // else a jump to another function
  friend bool operator==(const FunctionExit&, const FunctionExit&) = default;
};

// Returns and jumps to other functions, in the function and in what the compiler moved out of it (".cold"). At each the
// stack pointer is at the return address. A function may have none: it never returns.
// kSymbolNoSite: a conditional jump to another function (taken or not cannot be told by a probe), an instruction that
// the kernel refuses, or bytes that are no code. An indirect jump counts as a switch if it reads a table, else as a
// call of another function in last place.
Result<std::vector<FunctionExit>> find_exits(const ElfFile& file, const Symbol& function);

// The same for those who have to see the end of a call and its result. kSymbolNoSite also: it leaves for another
// function in last place, whose end is not this one's, never returns, or returns from more than kMostReturns places.
inline constexpr std::size_t kMostReturns = 64;
Result<std::vector<FunctionExit>> find_returns(const ElfFile& file, const Symbol& function);

}  // namespace raceguard::symbols
