// SPDX-License-Identifier: Apache-2.0
// Checked reads from a file or from memory. Files are read with pread, never mapped: a target's owner can truncate a
// file at any time, and a mapping of it would then kill the daemon with SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::symbols {

using Bytes = std::vector<std::byte>;

class ByteSource {
 public:
  static Result<ByteSource> open(const std::string& path);
  static Result<ByteSource> from_fd(UniqueFd fd, std::string path);
  static ByteSource from_memory(Bytes bytes, std::string name);

  // Exactly `size` bytes at `offset`; nothing if the source is shorter or the read fails.
  [[nodiscard]] std::optional<Bytes> read(std::uint64_t offset, std::uint64_t size) const;
  // The NUL-terminated string at `offset`, cut at `limit` bytes (hostile names); empty if out of range.
  [[nodiscard]] std::string read_string(std::uint64_t offset, std::size_t limit = 4096) const;

  template <typename T>
  [[nodiscard]] std::optional<T> read_struct(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (!read_into(offset, &value, sizeof value)) {
      return std::nullopt;
    }
    return value;
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t device() const { return device_; }
  [[nodiscard]] std::uint64_t inode() const { return inode_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // -1 for memory; libdw reads through it.
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  ByteSource() = default;
  [[nodiscard]] bool read_into(std::uint64_t offset, void* target, std::size_t size) const;

  UniqueFd fd_;
  Bytes memory_;
  std::uint64_t size_ = 0;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
  std::string path_;
};

}  // namespace raceguard::symbols
