// SPDX-License-Identifier: Apache-2.0
// What a binary tells about its functions, and where a probe sits cheapest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace raceguard::symbols {

struct Symbol {
  std::string name;               // as in the symbol table (mangled)
  std::string demangled;          // equal to name where there is nothing to demangle
  std::uint64_t address = 0;      // virtual address in the file (before relocation)
  std::uint64_t file_offset = 0;  // what uprobes take
  std::uint64_t size = 0;         // bytes; 0: unknown
};

// What the kernel does with an instruction under a uprobe; the order is from cheap to dear.
enum class SiteKind {
  kNop5,           // first instruction of a function only, on kernels that replace it by a call
  kEmulated,       // nop, push reg, jmp, jcc, call rel32: arch/x86/kernel/uprobes.c, branch_ and push_setup_xol_ops
  kSingleStepped,  // everything else: executed out of line, one more exception
  kRefused,        // the kernel answers ENOTSUPP (lock prefix, CS-prefixed nop10), or it is not safe
};

struct Site {
  std::uint64_t file_offset = 0;
  std::uint64_t address = 0;
  std::uint32_t function_offset = 0;  // bytes from the function's entry
  std::string instruction;            // disassembled
  SiteKind kind = SiteKind::kRefused;
  std::uint32_t cfa_offset = 8;       // stack pointer here + this = CFA (8 at the entry: the return address)
  bool takes_return_probe = false;    // the stack pointer points at the return address: a uretprobe may sit here
  bool arguments_intact = false;      // no argument register was written before (intact_arguments is all of them)
  std::uint8_t intact_arguments = 0;  // so many leading argument registers (rdi rsi rdx rcx r8 r9; Go: rax rbx rcx rdi
                                      // rsi r8 r9 r10 r11) still hold what the caller passed
  bool may_repeat = false;  // the function jumps back here: one call may hit more than once (a loop; Go: a grown stack)
  std::string why;          // why it was chosen or passed over, for `raceguardctl sites`
};

struct SiteChoice {
  Symbol symbol;
  std::vector<Site> candidates;       // in program order: what every call passes exactly once; the entry block only
  std::optional<std::size_t> chosen;  // index into candidates; empty: no site can be probed
};

// A switch that an application declares with raceguard/switch.h (a note of type stapsdt, provider "raceguard").
struct SwitchMarker {
  std::string name;
  // File offset of the marker instruction, for the uprobe: a one-byte `nop`. The kernel counts a word once per probed
  // instruction, however many uprobes sit on it, so the value 2 takes another one on the instruction behind it.
  std::uint64_t marker_offset = 0;
  std::uint64_t semaphore_offset = 0;  // file offset of the 16-bit word, for ref_ctr_offset
};

struct SourceLine {
  std::string file;
  std::uint32_t line = 0;
};

// A function whose code the compiler put into its caller.
struct InlinedCall {
  std::string function;  // demangled
  std::optional<SourceLine> source;
};

// The last part of a path.
[[nodiscard]] inline std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// A code address made readable.
struct CodeSite {
  std::string function;  // demangled; empty: unknown
  std::uint64_t function_offset = 0;
  std::string binary;                // path
  std::uint64_t address = 0;         // virtual address in the file
  std::optional<SourceLine> source;  // in `function` itself
  std::vector<InlinedCall> inlined;  // functions inlined there at the address, innermost first
};

}  // namespace raceguard::symbols
