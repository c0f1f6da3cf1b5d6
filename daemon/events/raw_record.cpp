// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/raw_record.h"

#include <fmt/format.h>

#include <cstring>

#include "daemon/events/ring_record.h"

namespace raceguard::events {
namespace {

Result<RawRecord> decode_process(std::span<const std::byte> bytes) {
  rg_record_process record{};
  if (bytes.size() < sizeof record) {
    return malformed_record(fmt::format("of a process is {} bytes long instead of {}", bytes.size(), sizeof record));
  }
  std::memcpy(&record, bytes.data(), sizeof record);
  if (record.event < RG_PROCESS_FORK || record.event > RG_PROCESS_EXIT) {
    return malformed_record(fmt::format("of a process has the unknown event {}", record.event));
  }
  record.comm[RG_COMM_LEN - 1] = '\0';
  return record;
}

Result<RawRecord> decode_stack(std::span<const std::byte> bytes) {
  if (bytes.size() < RG_STACK_HEADER_BYTES) {
    return malformed_record(fmt::format("of a stack is {} bytes long, shorter than its header", bytes.size()));
  }
  const auto u32 = [&](std::size_t offset) { return field_at<std::uint32_t>(bytes, offset); };
  const auto u64 = [&](std::size_t offset) { return field_at<std::uint64_t>(bytes, offset); };

  const std::uint32_t role = u32(offsetof(rg_record_stack, role));
  const std::uint32_t wait_class = u32(offsetof(rg_record_stack, wait_class));
  const std::uint32_t frame_count = u32(offsetof(rg_record_stack, frame_count));
  const std::uint32_t stack_bytes = u32(offsetof(rg_record_stack, stack_bytes));
  if (role != RG_STACK_WAITER && role != RG_STACK_HOLDER) {
    return malformed_record(fmt::format("of a stack has the unknown role {}", role));
  }
  if (wait_class > RG_WAIT_CONDITION) {
    return malformed_record(fmt::format("of a stack has the unknown wait class {}", wait_class));
  }
  if (frame_count > RG_FRAME_POINTER_DEPTH || stack_bytes > RG_STACK_COPY_MAX_BYTES) {
    return malformed_record(fmt::format("of a stack claims {} frames and {} stack bytes", frame_count, stack_bytes));
  }
  if (bytes.size() - RG_STACK_HEADER_BYTES < stack_bytes) {
    return malformed_record(
        fmt::format("of a stack claims {} stack bytes and has {}", stack_bytes, bytes.size() - RG_STACK_HEADER_BYTES));
  }

  StackRecord record;
  record.role = static_cast<rg_stack_role>(role);
  record.wait_class = static_cast<rg_wait_class>(wait_class);
  record.time_ns = field_at<std::int64_t>(bytes, offsetof(rg_record_stack, time_ns));
  record.address = u64(offsetof(rg_record_stack, address));
  record.duration_ns = field_at<std::int64_t>(bytes, offsetof(rg_record_stack, duration_ns));
  record.tgid = u32(offsetof(rg_record_stack, tgid));
  record.tid = u32(offsetof(rg_record_stack, tid));
  record.owner_tid = u32(offsetof(rg_record_stack, owner_tid));
  record.registers = field_at<Registers>(bytes, offsetof(rg_record_stack, registers));
  record.frame_pointer_ips.resize(frame_count);
  if (frame_count > 0) {
    std::memcpy(record.frame_pointer_ips.data(), bytes.data() + offsetof(rg_record_stack, frame_pointer_ips),
                frame_count * sizeof(std::uint64_t));
  }
  record.stack = bytes.subspan(RG_STACK_HEADER_BYTES, stack_bytes);
  return record;
}

}  // namespace

Result<RawRecord> decode(std::span<const std::byte> bytes) {
  std::uint32_t type = 0;
  if (bytes.size() < sizeof type) {
    return malformed_record(fmt::format("is {} bytes long, too short to have a type", bytes.size()));
  }
  std::memcpy(&type, bytes.data(), sizeof type);
  switch (type) {
    case RG_RECORD_PROCESS:
      return decode_process(bytes);
    case RG_RECORD_STACK:
      return decode_stack(bytes);
    default:
      return malformed_record(fmt::format("has the unknown type {}", type));
  }
}

}  // namespace raceguard::events
