// SPDX-License-Identifier: Apache-2.0
// The call frame information (.eh_frame) of one binary, which Debian's stripped, optimised binaries keep because C++
// exceptions need it. Read into memory with pread, never mapped: whoever truncates a mapped file would end the daemon
// with SIGBUS. libdw's CFI interpreter is used without libdwfl: a Dwfl belongs to one process, this to a file, so that
// two hundred short-lived processes of one program cost it once (docs/stacks.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "daemon/events/raw_record.h"
#include "daemon/events/stack_memory.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::events {

enum class StepEnd {
  kCaller,  // registers are the caller's now
  kBottom,  // the thread's first function: its return address is undefined or 0
  kAbove,   // the caller's frame lies above the copy of the stack
  kBroken,  // no rule for the address, or a rule that cannot be right
};

class CallFrameInfo {
 public:
  // Opens binary.host_path and checks that it is the mapped inode. kUnwind: not ELF, or another file.
  // A file without .eh_frame opens too: no step can be made in it.
  static Result<CallFrameInfo> open(const targets::MappedBinary& binary);

  CallFrameInfo(CallFrameInfo&&) noexcept;
  CallFrameInfo& operator=(CallFrameInfo&&) noexcept;
  ~CallFrameInfo();

  // Virtual address in the file of a byte of the file; empty: no segment holds it.
  [[nodiscard]] std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;

  struct Step {
    StepEnd end = StepEnd::kBroken;
    bool signal_frame = false;  // the caller was interrupted: its address is no return address
  };
  // One frame outwards: `address` is where (in the file) the registers belong to.
  [[nodiscard]] Step step(std::uint64_t address, Registers& registers, const StackMemory& memory) const;

  // True if the bytes before `address` end a call instruction, as before every return address.
  [[nodiscard]] bool follows_call(std::uint64_t file_offset) const;

  [[nodiscard]] std::size_t bytes_in_memory() const;  // of sections; libdw's caches come on top

 private:
  struct Impl;
  explicit CallFrameInfo(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace raceguard::events
