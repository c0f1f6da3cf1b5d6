// SPDX-License-Identifier: Apache-2.0
// What passes between the stack pointer and rbp, where that is a frame pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace raceguard::symbols {

struct FrameMove {
  std::optional<std::int32_t> frame_from_stack;  // rbp = rsp + this
  std::optional<std::int32_t> stack_from_frame;  // rsp = rbp + this
};

// Of the instruction at the head of `code`: mov, lea, leave.
[[nodiscard]] FrameMove frame_move(std::span<const std::byte> code);

}  // namespace raceguard::symbols
