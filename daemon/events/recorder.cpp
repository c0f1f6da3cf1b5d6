// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "daemon/events/recording.h"
#include "daemon/events/recording_bytes.h"
#include "daemon/events/recording_format.h"
#include "raceguard/abi/bpf.h"

namespace raceguard::events {
namespace {

std::vector<std::byte> without_stack_copy(std::span<const std::byte> raw) {
  std::uint32_t type = 0;
  if (raw.size() >= sizeof type) {
    std::memcpy(&type, raw.data(), sizeof type);
  }
  if (type != RG_RECORD_STACK || raw.size() < RG_STACK_HEADER_BYTES) {
    return {raw.begin(), raw.end()};
  }
  std::vector<std::byte> header(raw.begin(), raw.begin() + RG_STACK_HEADER_BYTES);
  const std::uint32_t none = 0;
  std::memcpy(header.data() + offsetof(rg_record_stack, stack_bytes), &none, sizeof none);
  return header;
}

void put_frame(ByteWriter& writer, RecordingFrame kind, std::span<const std::byte> payload) {
  writer.put(static_cast<std::uint32_t>(kind));
  writer.put(static_cast<std::uint32_t>(payload.size()));
  writer.put_bytes(payload);
}

}  // namespace

Result<Recorder> Recorder::create(const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file || chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail_errno(ErrorCode::kEventFile, "cannot create recording " + path, errno,
                      "Choose a folder that exists and is writable");
  }
  Recorder recorder(path, std::move(file));
  ByteWriter header;
  header.put_bytes(std::as_bytes(std::span(kRecordingMagic)));
  header.put(kRecordingVersion);
  header.put(std::uint32_t{0});
  if (auto written = recorder.write(header.bytes()); !written) {
    return fail(written.error());
  }
  return recorder;
}

Result<void> Recorder::add(std::span<const std::byte> raw, const Event& event) {
  ByteWriter frames;
  put_frame(frames, RecordingFrame::kRecord, without_stack_copy(raw));
  if (const auto* sample = std::get_if<LockStackEvent>(&event)) {
    put_frame(frames, RecordingFrame::kStack, stack_to_bytes(sample->stack));
  }
  return write(frames.bytes());
}

Result<void> Recorder::write(const std::vector<std::byte>& bytes) {
  file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file_.flush();
  if (!file_) {
    return fail_errno(ErrorCode::kEventFile, "cannot write to recording " + path_, errno,
                      "Make room on the disk; what was written before can be replayed");
  }
  bytes_ += bytes.size();
  return {};
}

}  // namespace raceguard::events
