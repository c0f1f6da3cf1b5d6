// SPDX-License-Identifier: Apache-2.0
// Records of the ring as the kernel wrote them, checked: nothing behind this function meets a length or an enumerator
// that it does not know.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "raceguard/abi/bpf.h"
#include "raceguard/error.h"

namespace raceguard::events {

using Registers = std::array<std::uint64_t, RG_DWARF_REGISTERS>;  // in DWARF's order
inline constexpr std::size_t kFramePointerRegister = 6;           // rbp
inline constexpr std::size_t kStackPointerRegister = 7;           // rsp
inline constexpr std::size_t kInstructionRegister = 16;           // rip

// rg_record_stack without its bulk. `stack` points into the record that was decoded.
struct StackRecord {
  rg_stack_role role = RG_STACK_WAITER;
  rg_wait_class wait_class = RG_WAIT_LOCK;
  std::int64_t time_ns = 0;
  std::uint64_t address = 0;
  std::int64_t duration_ns = 0;
  std::uint32_t tgid = 0;
  std::uint32_t tid = 0;
  std::uint32_t owner_tid = 0;
  Registers registers{};
  std::vector<std::uint64_t> frame_pointer_ips;  // innermost first
  std::span<const std::byte> stack;              // from rsp upwards; empty: could not be read
};

using RawRecord = std::variant<rg_record_process, StackRecord>;

// kEventMalformed: too short for its type or for the stack it claims, unknown type, or unknown enumerator.
[[nodiscard]] Result<RawRecord> decode(std::span<const std::byte> bytes);

}  // namespace raceguard::events
