// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/access_decoder.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace raceguard::events {
namespace {

constexpr std::size_t kInstructionsRemembered = 4096;
constexpr const char* kRemedy = "Daemon and BPF object come from different builds: install both from one package";

tl::unexpected<Error> malformed(std::string what) {
  return fail(ErrorCode::kEventMalformed, "ring record of an access " + std::move(what), kRemedy);
}

// The record without its bulk.
struct AccessHeader {
  alignas(rg_record_access) std::array<std::byte, RG_ACCESS_HEADER_BYTES> bytes;
};

template <typename T>
T get(const AccessHeader& header, std::size_t offset) {
  T value;
  std::memcpy(&value, header.bytes.data() + offset, sizeof value);
  return value;
}

#define RG_GET(header, member) get<decltype(rg_record_access::member)>(header, offsetof(rg_record_access, member))

Result<AccessHeader> header_of(std::span<const std::byte> bytes) {
  AccessHeader header{};
  if (bytes.size() < RG_ACCESS_HEADER_BYTES) {
    return malformed(fmt::format("is {} bytes long, shorter than its header", bytes.size()));
  }
  std::memcpy(header.bytes.data(), bytes.data(), RG_ACCESS_HEADER_BYTES);
  const auto role = RG_GET(header, role);
  const auto frame_count = RG_GET(header, frame_count);
  const auto stack_bytes = RG_GET(header, stack_bytes);
  if (RG_GET(header, type) != RG_RECORD_ACCESS || role < RG_ACCESS_FIRST_SEEN || role > RG_ACCESS_LOCK_BROKEN) {
    return malformed(fmt::format("has the unknown type {} or role {}", RG_GET(header, type), role));
  }
  if (RG_GET(header, slot) >= RG_WATCH_SLOTS || RG_GET(header, lock) >= RG_CANDIDATE_LOCKS) {
    return malformed(fmt::format("names slot {} and lock {}", RG_GET(header, slot), RG_GET(header, lock)));
  }
  if (frame_count > RG_FRAME_POINTER_DEPTH || stack_bytes > bytes.size() - RG_ACCESS_HEADER_BYTES) {
    return malformed(fmt::format("claims {} frames and {} stack bytes, and is {} bytes long", frame_count, stack_bytes,
                                 bytes.size()));
  }
  return header;
}

AccessEvent event_of(const AccessHeader& header) {
  AccessEvent event;
  event.role = static_cast<rg_access_role>(RG_GET(header, role));
  event.time_ns = static_cast<std::int64_t>(RG_GET(header, time_ns));
  event.generation = RG_GET(header, generation);
  event.pair = RG_GET(header, pair);
  event.ip = RG_GET(header, ip);
  event.value_before = RG_GET(header, value_before);
  event.value_after = RG_GET(header, value_after);
  event.held_ns = static_cast<std::int64_t>(RG_GET(header, held_ns));
  event.overlaps = RG_GET(header, overlaps);
  event.seen = RG_GET(header, seen);
  event.slot = RG_GET(header, slot);
  event.broken_lock = RG_GET(header, lock);
  event.pid = static_cast<pid_t>(RG_GET(header, tgid));
  event.tid = static_cast<pid_t>(RG_GET(header, tid));
  event.lock_owner_tid = static_cast<pid_t>(RG_GET(header, lock_owner));
  const std::uint32_t states = RG_GET(header, lock_states);
  for (unsigned lock = 0; lock < RG_CANDIDATE_LOCKS; ++lock) {
    event.lock_states.at(lock) = static_cast<rg_lock_state>(states >> 2 * lock & 3U);
  }
  event.registers = get<Registers>(header, offsetof(rg_record_access, registers));
  return event;
}

// What the unwinder takes.
StackRecord stack_of(const AccessHeader& header, std::span<const std::byte> bytes) {
  StackRecord record;
  record.time_ns = static_cast<std::int64_t>(RG_GET(header, time_ns));
  record.tgid = RG_GET(header, tgid);
  record.tid = RG_GET(header, tid);
  record.registers = get<Registers>(header, offsetof(rg_record_access, registers));
  record.registers[kInstructionRegister] = RG_GET(header, ip);
  record.frame_pointer_ips.resize(RG_GET(header, frame_count));
  std::memcpy(record.frame_pointer_ips.data(), header.bytes.data() + offsetof(rg_record_access, frame_pointer_ips),
              record.frame_pointer_ips.size() * sizeof(std::uint64_t));
  record.stack = bytes.subspan(RG_ACCESS_HEADER_BYTES, RG_GET(header, stack_bytes));
  return record;
}

#undef RG_GET

}  // namespace

Result<AccessEvent> AccessDecoder::decode(std::span<const std::byte> bytes) {
  const auto header = header_of(bytes);
  if (!header) {
    ++counters_.malformed;
    return fail(header.error());
  }
  ++counters_.decoded;
  AccessEvent event = event_of(*header);
  const StackRecord record = stack_of(*header, bytes);
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
