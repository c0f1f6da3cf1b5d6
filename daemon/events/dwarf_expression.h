// SPDX-License-Identifier: Apache-2.0
// Evaluates the DWARF expressions that call frame information uses (DWARF 5, sections 2.5 and 6.4). They read registers
// and the stack only; what compilers never write there is refused.
#pragma once

#include <elfutils/libdw.h>

#include <cstdint>
#include <optional>
#include <span>

#include "daemon/events/raw_record.h"
#include "daemon/events/stack_memory.h"

namespace raceguard::events {

struct ExpressionContext {
  const Registers& registers;
  const StackMemory& memory;
  std::optional<std::uint64_t> cfa;  // for DW_OP_call_frame_cfa
};

struct ExpressionValue {
  std::uint64_t value = 0;
  bool is_address = true;  // the value sought lies at this address; false: it is the value itself
};

[[nodiscard]] std::optional<ExpressionValue> evaluate(std::span<const Dwarf_Op> operations,
                                                      const ExpressionContext& context);

}  // namespace raceguard::events
