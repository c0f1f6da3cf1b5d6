// SPDX-License-Identifier: Apache-2.0
// Raw record -> Event, with names and stacks.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "daemon/events/event.h"
#include "daemon/events/raw_record.h"
#include "daemon/events/stack_maker.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::events {

// Where the executable mappings of a process come from: the daemon's targets, or a recording.
class MappingSource {
 public:
  virtual ~MappingSource() = default;
  // Empty: the process is unknown or gone.
  [[nodiscard]] virtual std::span<const targets::MappedBinary> mappings(pid_t pid) = 0;
  // A stack went through an address outside of all mappings (dlopen): read them again. False: that cannot be done.
  virtual bool refresh(pid_t pid) = 0;
};

// Makes a code address readable. Answers are kept by the implementation.
class Symboliser {
 public:
  virtual ~Symboliser() = default;
  // The site of `address` (virtual address in the file); of a return address that of its call, which may be on another
  // line, or in another function, than the instruction after it. Only what is known is filled in.
  [[nodiscard]] virtual symbols::CodeSite resolve(const targets::MappedBinary& binary, std::uint64_t address,
                                                  bool is_return_address) = 0;
};

struct DecoderCounters {
  std::uint64_t decoded = 0;
  std::uint64_t malformed = 0;
  std::uint64_t unwound = 0;
  std::uint64_t frame_pointers = 0;
  std::uint64_t untrusted = 0;
  std::uint64_t unknown_process = 0;  // stacks of processes without mappings: they went before we looked
};

class Decoder {
 public:
  Decoder(MappingSource& mappings, Symboliser& symboliser) : mappings_(mappings), stacks_(mappings, symboliser) {}

  // kEventMalformed. A stack that cannot be unwound is no error: the event says untrusted.
  [[nodiscard]] Result<Event> decode(std::span<const std::byte> bytes);

  [[nodiscard]] const DecoderCounters& counters() const { return counters_; }
  // For stacks that come another way, with the same tables.
  [[nodiscard]] StackMaker& stacks() { return stacks_; }
  [[nodiscard]] const FrameInfoCache& frame_info() const { return stacks_.cache(); }

 private:
  LockStackEvent lock_stack_event(const StackRecord& record);
  UnwoundStack unwind(const StackRecord& record);

  MappingSource& mappings_;
  StackMaker stacks_;
  DecoderCounters counters_;
};

// The parts that need neither mappings nor symbols; a recording that carries its stacks is replayed by these.
[[nodiscard]] ProcessEvent process_event(const rg_record_process& record);
[[nodiscard]] LockStackEvent lock_stack_event(const StackRecord& record, Stack stack);

}  // namespace raceguard::events
