// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/code_sample.h"

#include <fmt/format.h>

#include "daemon/events/ring_record.h"
#include "daemon/events/stack_memory.h"

namespace raceguard::events {
namespace {

#define RG_GET(bytes, member) field_at<decltype(rg_record_sample::member)>(bytes, offsetof(rg_record_sample, member))

}  // namespace

std::optional<std::uint64_t> CodeSample::read_stack(std::uint64_t address) const {
  const std::uint64_t top = where.registers[kStackPointerRegister];
  if (address < top) {
    return StackMemory(top - red_zone.size(), red_zone).read(address);
  }
  return StackMemory(top, where.stack).read(address);
}

bool is_code_sample(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(rg_u32) && RG_GET(bytes, type) == RG_RECORD_SAMPLE;
}

Result<CodeSample> decode_code_sample(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(rg_record_sample) || !is_code_sample(bytes)) {
    return fail(ErrorCode::kEventMalformed, fmt::format("ring record of {} bytes is no code sample, which has {}",
                                                        bytes.size(), sizeof(rg_record_sample)));
  }
  const auto source = RG_GET(bytes, source);
  const auto red_zone_bytes = RG_GET(bytes, red_zone_bytes);
  const auto stack_bytes = RG_GET(bytes, stack_bytes);
  if (source < RG_SAMPLE_CLOCK || source > RG_SAMPLE_CODE || red_zone_bytes > RG_RED_ZONE_BYTES ||
      stack_bytes > RG_SAMPLE_STACK_BYTES) {
    return fail(ErrorCode::kEventMalformed,
                fmt::format("ring record of a code sample has source {} and {} + {} bytes of stack", source,
                            red_zone_bytes, stack_bytes));
  }
  CodeSample sample;
  sample.source = static_cast<rg_sample_source>(source);
  sample.generation = RG_GET(bytes, generation);
  sample.where.time_ns = static_cast<std::int64_t>(RG_GET(bytes, time_ns));
  sample.where.tgid = RG_GET(bytes, tgid);
  sample.where.tid = RG_GET(bytes, tid);
  sample.where.registers = field_at<Registers>(bytes, offsetof(rg_record_sample, registers));
  sample.red_zone = bytes.subspan(offsetof(rg_record_sample, red_zone), red_zone_bytes);
  sample.where.stack = bytes.subspan(offsetof(rg_record_sample, stack), stack_bytes);
  return sample;
}

#undef RG_GET

}  // namespace raceguard::events
