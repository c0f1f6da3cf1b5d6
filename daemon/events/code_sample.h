// SPDX-License-Identifier: Apache-2.0
// Where a thread of the target was: a RG_RECORD_SAMPLE of the race object's ring, checked.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "daemon/events/raw_record.h"
#include "raceguard/abi/race.h"
#include "raceguard/error.h"

namespace raceguard::events {

struct CodeSample {
  rg_sample_source source = RG_SAMPLE_CLOCK;
  std::uint64_t generation = 0;
  StackRecord where;                    // time, process, thread, registers, stack; points into the record
  std::span<const std::byte> red_zone;  // right below the stack pointer; empty: could not be read

  // Eight bytes of what was copied of the thread's stack.
  [[nodiscard]] std::optional<std::uint64_t> read_stack(std::uint64_t address) const;
};

// Does the record say that it is one?
[[nodiscard]] bool is_code_sample(std::span<const std::byte> bytes);
// kEventMalformed.
[[nodiscard]] Result<CodeSample> decode_code_sample(std::span<const std::byte> bytes);

}  // namespace raceguard::events
