// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/access_decoder.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "daemon/events/ring_record.h"

namespace raceguard::events {
namespace {

constexpr std::size_t kInstructionsRemembered = 4096;

tl::unexpected<Error> malformed(const std::string& what) { return malformed_record("of an access " + what); }

#define RG_GET(record, member) field_at<decltype(rg_record_access::member)>(record, offsetof(rg_record_access, member))

Result<void> check(std::span<const std::byte> bytes) {
  if (bytes.size() < RG_ACCESS_HEADER_BYTES) {
    return malformed(fmt::format("is {} bytes long, shorter than its header", bytes.size()));
  }
  const auto role = RG_GET(bytes, role);
  const auto frame_count = RG_GET(bytes, frame_count);
  const auto stack_bytes = RG_GET(bytes, stack_bytes);
  if (RG_GET(bytes, type) != RG_RECORD_ACCESS || role < RG_ACCESS_FIRST_SEEN || role > RG_ACCESS_LOCK_BROKEN) {
    return malformed(fmt::format("has the unknown type {} or role {}", RG_GET(bytes, type), role));
  }
  if (RG_GET(bytes, slot) >= RG_WATCH_SLOTS || RG_GET(bytes, lock) >= RG_CANDIDATE_LOCKS) {
    return malformed(fmt::format("names slot {} and lock {}", RG_GET(bytes, slot), RG_GET(bytes, lock)));
  }
  if (frame_count > RG_FRAME_POINTER_DEPTH || stack_bytes > bytes.size() - RG_ACCESS_HEADER_BYTES) {
    return malformed(fmt::format("claims {} frames and {} stack bytes, and is {} bytes long", frame_count, stack_bytes,
                                 bytes.size()));
  }
  return {};
}

AccessEvent event_of(std::span<const std::byte> bytes) {
  AccessEvent event;
  event.role = static_cast<rg_access_role>(RG_GET(bytes, role));
  event.time_ns = static_cast<std::int64_t>(RG_GET(bytes, time_ns));
  event.generation = RG_GET(bytes, generation);
  event.pair = RG_GET(bytes, pair);
  event.ip = RG_GET(bytes, ip);
  event.value_before = RG_GET(bytes, value_before);
  event.value_after = RG_GET(bytes, value_after);
  event.held_ns = static_cast<std::int64_t>(RG_GET(bytes, held_ns));
  event.overlaps = RG_GET(bytes, overlaps);
  event.seen = RG_GET(bytes, seen);
  event.slot = RG_GET(bytes, slot);
  event.broken_lock = RG_GET(bytes, lock);
  event.pid = static_cast<pid_t>(RG_GET(bytes, tgid));
  event.tid = static_cast<pid_t>(RG_GET(bytes, tid));
  event.lock_owner_tid = static_cast<pid_t>(RG_GET(bytes, lock_owner));
  const std::uint32_t states = RG_GET(bytes, lock_states);
  for (unsigned lock = 0; lock < RG_CANDIDATE_LOCKS; ++lock) {
    event.lock_states.at(lock) = static_cast<rg_lock_state>(states >> 2 * lock & 3U);
  }
  event.registers = field_at<Registers>(bytes, offsetof(rg_record_access, registers));
  return event;
}

// What the unwinder takes.
StackRecord stack_of(std::span<const std::byte> bytes) {
  StackRecord record;
  record.time_ns = static_cast<std::int64_t>(RG_GET(bytes, time_ns));
  record.tgid = RG_GET(bytes, tgid);
  record.tid = RG_GET(bytes, tid);
  record.registers = field_at<Registers>(bytes, offsetof(rg_record_access, registers));
  record.registers[kInstructionRegister] = RG_GET(bytes, ip);
  record.frame_pointer_ips.resize(RG_GET(bytes, frame_count));
  std::memcpy(record.frame_pointer_ips.data(), bytes.data() + offsetof(rg_record_access, frame_pointer_ips),
              record.frame_pointer_ips.size() * sizeof(std::uint64_t));
  record.stack = bytes.subspan(RG_ACCESS_HEADER_BYTES, RG_GET(bytes, stack_bytes));
  return record;
}

#undef RG_GET

}  // namespace

Result<AccessEvent> AccessDecoder::decode(std::span<const std::byte> bytes) {
  if (const auto checked = check(bytes); !checked) {
    ++counters_.malformed;
    return fail(checked.error());
  }
  ++counters_.decoded;
  AccessEvent event = event_of(bytes);
  const StackRecord record = stack_of(bytes);
  const UnwoundStack unwound = record.stack.empty() ? stacks_.innermost(record) : stacks_.unwind(record);
  counters_.untrusted += !record.stack.empty() && unwound.trust == StackTrust::kUntrusted ? 1 : 0;
  const Frame& access = unwound.frames.front();
  if (access.binary != nullptr && access.address != 0) {
    event.instruction = instruction_before(*access.binary, access.address);
  }
  counters_.without_instruction += event.instruction ? 0 : 1;
  event.stack = named(unwound, event.instruction);
  return event;
}

const AccessDecoder::Instruction& AccessDecoder::instruction_before(const targets::MappedBinary& binary,
                                                                    std::uint64_t address) {
  if (instructions_.size() >= kInstructionsRemembered) {
    instructions_.clear();
  }
  const auto [entry, is_new] =
      instructions_.try_emplace(InstructionKey{binary.device, binary.inode, address}, std::nullopt);
  if (is_new) {
    if (const auto file = files_.file(binary.host_path)) {
      if (auto instruction = symbols::access_before(**file, address)) {
        entry->second = std::move(*instruction);
      }
    }
  }
  return entry->second;
}

// The registers belong to the instruction behind the access, and so does the way to the caller; the name of the
// innermost frame is the access's own: it may end a line, an inlined call or a function.
Stack AccessDecoder::named(UnwoundStack unwound, const Instruction& instruction) {
  Frame& access = unwound.frames.front();
  if (instruction) {
    access.address = instruction->address;
  } else {
    access.is_return_address = true;  // named by the byte before
  }
  return stacks_.with_names(unwound);
}

rg_access_mode access_mode_of(const symbols::AccessInstruction& instruction) {
  const auto all = [&](auto&& holds) {
    return !instruction.accesses.empty() &&
           std::all_of(instruction.accesses.begin(), instruction.accesses.end(), holds);
  };
  using symbols::MemoryAccess;
  if (all([](const MemoryAccess& access) { return access.atomic; })) {
    return RG_ACCESS_MODE_ATOMIC;
  }
  if (all([](const MemoryAccess& access) { return !access.atomic && access.mode == symbols::AccessMode::kRead; })) {
    return RG_ACCESS_MODE_READ;
  }
  return RG_ACCESS_MODE_UNKNOWN;
}

}  // namespace raceguard::events
