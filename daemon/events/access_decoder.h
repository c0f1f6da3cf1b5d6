// SPDX-License-Identifier: Apache-2.0
// Raw record of an access -> AccessEvent, with names, stack and instruction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "daemon/events/access_event.h"
#include "daemon/events/decoder.h"
#include "daemon/events/raw_record.h"
#include "daemon/events/stack_maker.h"
#include "daemon/symbols/access.h"
#include "daemon/symbols/resolver.h"
#include "raceguard/error.h"

namespace raceguard::events {

struct AccessDecoderCounters {
  std::uint64_t decoded = 0;
  std::uint64_t malformed = 0;
  std::uint64_t without_instruction = 0;  // code outside of all files, or that could not be decoded
  std::uint64_t untrusted = 0;            // stacks that were copied and could not be unwound
};

class AccessDecoder {
 public:
  AccessDecoder(MappingSource& mappings, Symboliser& symboliser, symbols::Resolver& files)
      : stacks_(mappings, symboliser), files_(files) {}

  // kEventMalformed. What cannot be unwound or decoded is no error: the event says so.
  [[nodiscard]] Result<AccessEvent> decode(std::span<const std::byte> bytes);
  // The process has another image.
  void forget(pid_t pid) { stacks_.forget(pid); }

  [[nodiscard]] const AccessDecoderCounters& counters() const { return counters_; }

 private:
  using Instruction = std::optional<symbols::AccessInstruction>;
  // One instruction of a file, by device, inode and address. Decoding starts at the function's begin each time, and a
  // hot pair of instructions comes a thousand times a second.
  using InstructionKey = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;

  const Instruction& instruction_before(const targets::MappedBinary& binary, std::uint64_t address);
  Stack named(UnwoundStack unwound, const Instruction& instruction);

  StackMaker stacks_;
  symbols::Resolver& files_;
  std::map<InstructionKey, Instruction> instructions_;
  AccessDecoderCounters counters_;
};

// What the instruction does to data, as far as overlaps of its like can be passed over in the kernel; unknown wherever
// one of its accesses might race with one of its like.
[[nodiscard]] rg_access_mode access_mode_of(const symbols::AccessInstruction& instruction);

}  // namespace raceguard::events
