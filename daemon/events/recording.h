// SPDX-License-Identifier: Apache-2.0
// A stream of events in a file, to be looked at later or replayed through detection, on any machine. Format, version 1,
// little endian:
//
//   header  8 bytes "RGEVENTS", u32 version, u32 0
//   frame   u32 kind, u32 payload bytes, payload
//     kind 1  raw record as in the ring. The copy of the stack is cut off (stack_bytes 0): it holds the process's data
//     kind 2  the stack of the raw record before it, with names:
//             u8 trust, u8 complete, u16 reliable frames, u16 frames, then for each frame innermost first
//             u64 address, u64 function offset, u32 line, string function, string binary, string source file
//             (string: u16 length, bytes; line 0: no source)
//
// Names are in the file because the binaries are not: the same recording replays to the same events where mariadbd is
// another build or is not installed. Readers skip kinds they do not know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/events/event.h"
#include "raceguard/error.h"

namespace raceguard::events {

class Recorder {
 public:
  // Replaces the file; readable by its owner only, as stacks tell about the process. kEventFile.
  static Result<Recorder> create(const std::string& path);

  // `raw` as it came from the ring, `event` as it was decoded. kEventFile (disk full): the recording ends before it.
  [[nodiscard]] Result<void> add(std::span<const std::byte> raw, const Event& event);

  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_; }

 private:
  explicit Recorder(std::string path, std::ofstream file) : path_(std::move(path)), file_(std::move(file)) {}
  Result<void> write(const std::vector<std::byte>& bytes);

  std::string path_;
  std::ofstream file_;
  std::uint64_t bytes_ = 0;
};

class Replayer {
 public:
  // Reads the whole file. kEventFile: unreadable, not a recording, another version.
  static Result<Replayer> open(const std::string& path);

  // The next event; nothing at the end. kEventFile: the file is cut off or damaged here; what came before was whole.
  [[nodiscard]] Result<std::optional<Event>> next();

 private:
  struct Frame {
    std::uint32_t kind = 0;
    std::span<const std::byte> payload;
  };
  Replayer(std::string path, std::vector<std::byte> bytes) : path_(std::move(path)), bytes_(std::move(bytes)) {}
  Result<std::optional<Frame>> next_frame();
  [[nodiscard]] tl::unexpected<Error> damaged(const std::string& what) const;

  std::string path_;
  std::vector<std::byte> bytes_;
  std::size_t position_ = 16;
  std::uint64_t events_ = 0;
};

}  // namespace raceguard::events
