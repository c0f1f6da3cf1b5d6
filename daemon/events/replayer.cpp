// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <filesystem>

#include "daemon/events/decoder.h"
#include "daemon/events/raw_record.h"
#include "daemon/events/recording.h"
#include "daemon/events/recording_bytes.h"
#include "daemon/events/recording_format.h"

namespace raceguard::events {
namespace {

Result<std::vector<std::byte>> read_file(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {  // opens, and tells a size of 2^63
    return fail(ErrorCode::kEventFile, "cannot read recording " + path + ": it is a folder");
  }
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file ? static_cast<std::streamoff>(file.tellg()) : -1;
  if (size < 0) {
    return fail_errno(ErrorCode::kEventFile, "cannot read recording " + path, errno);
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), size)) {
    return fail_errno(ErrorCode::kEventFile, "cannot read recording " + path, errno);
  }
  return bytes;
}

}  // namespace

Result<Replayer> Replayer::open(const std::string& path) {
  auto bytes = read_file(path);
  if (!bytes) {
    return fail(bytes.error());
  }
  ByteReader header(*bytes);
  const auto magic = header.take(kRecordingMagic.size());
  const auto version = header.get<std::uint32_t>();
  header.get<std::uint32_t>();
  if (!header.ok() || std::memcmp(magic.data(), kRecordingMagic.data(), magic.size()) != 0) {
    return fail(ErrorCode::kEventFile, path + " is not a recording of raceguard's events");
  }
  if (version != kRecordingVersion) {
    return fail(
        ErrorCode::kEventFile,
        fmt::format("recording {} has version {}, this raceguard reads version {}", path, version, kRecordingVersion),
        "Replay it with the release that recorded it");
  }
  return Replayer(path, std::move(*bytes));
}

tl::unexpected<Error> Replayer::damaged(const std::string& what) const {
  return fail(ErrorCode::kEventFile,
              fmt::format("recording {}: {} at byte {}, after {} whole events", path_, what, position_, events_),
              "The events before are good; the recorder was stopped or the disk was full here");
}

Result<std::optional<Replayer::Frame>> Replayer::next_frame() {
  const std::span<const std::byte> rest = std::span(bytes_).subspan(position_);
  if (rest.empty()) {
    return std::nullopt;
  }
  ByteReader reader(rest);
  Frame frame;
  frame.kind = reader.get<std::uint32_t>();
  frame.payload = reader.take(reader.get<std::uint32_t>());
  if (!reader.ok()) {
    return damaged("the file is cut off");
  }
  position_ += 2 * sizeof(std::uint32_t) + frame.payload.size();
  return frame;
}

Result<std::optional<Event>> Replayer::next() {
  auto frame = next_frame();
  while (frame && *frame && (*frame)->kind != static_cast<std::uint32_t>(RecordingFrame::kRecord)) {
    frame = next_frame();  // of a later version
  }
  if (!frame) {
    return fail(frame.error());
  }
  if (!*frame) {
    return std::nullopt;
  }
  const auto raw = decode((*frame)->payload);
  if (!raw) {
    return damaged(raw.error().what());
  }
  if (const auto* process = std::get_if<rg_record_process>(&*raw)) {
    ++events_;
    return Event(process_event(*process));
  }
  const auto stack_frame = next_frame();
  if (!stack_frame || !*stack_frame || (*stack_frame)->kind != static_cast<std::uint32_t>(RecordingFrame::kStack)) {
    return damaged("the stack of a record is missing");
  }
  auto stack = stack_from_bytes((*stack_frame)->payload);
  if (!stack) {
    return damaged("the stack of a record is malformed");
  }
  ++events_;
  return Event(lock_stack_event(std::get<StackRecord>(*raw), std::move(*stack)));
}

}  // namespace raceguard::events
