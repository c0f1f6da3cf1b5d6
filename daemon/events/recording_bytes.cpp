// SPDX-License-Identifier: Apache-2.0
#include "daemon/events/recording_bytes.h"

namespace raceguard::events {

std::vector<std::byte> stack_to_bytes(const Stack& stack) {
  ByteWriter writer;
  writer.put(static_cast<std::uint8_t>(stack.trust));
  writer.put(static_cast<std::uint8_t>(stack.complete ? 1 : 0));
  writer.put(static_cast<std::uint16_t>(stack.reliable_frames));
  writer.put(static_cast<std::uint16_t>(stack.frames.size()));
  for (const symbols::CodeSite& frame : stack.frames) {
    writer.put(frame.address);
    writer.put(frame.function_offset);
    writer.put(frame.source ? frame.source->line : 0U);
    writer.put_string(frame.function);
    writer.put_string(frame.binary);
    writer.put_string(frame.source ? frame.source->file : std::string{});
  }
  return writer.bytes();
}

std::optional<Stack> stack_from_bytes(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  Stack stack;
  const auto trust = reader.get<std::uint8_t>();
  stack.trust = static_cast<StackTrust>(trust);
  stack.complete = reader.get<std::uint8_t>() != 0;
  stack.reliable_frames = reader.get<std::uint16_t>();
  const auto count = reader.get<std::uint16_t>();
  for (std::size_t i = 0; i < count && reader.ok(); ++i) {
    symbols::CodeSite& frame = stack.frames.emplace_back();
    frame.address = reader.get<std::uint64_t>();
    frame.function_offset = reader.get<std::uint64_t>();
    const auto line = reader.get<std::uint32_t>();
    frame.function = reader.get_string();
    frame.binary = reader.get_string();
    std::string file = reader.get_string();
    if (line != 0) {
      frame.source = symbols::SourceLine{.file = std::move(file), .line = line};
    }
  }
  const bool known = trust <= static_cast<std::uint8_t>(StackTrust::kUntrusted);
  if (!reader.ok() || !known || stack.reliable_frames > stack.frames.size()) {
    return std::nullopt;
  }
  return stack;
}

}  // namespace raceguard::events
