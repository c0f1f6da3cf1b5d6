// SPDX-License-Identifier: Apache-2.0
#include "daemon/symbols/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace raceguard::symbols {

Result<ByteSource> ByteSource::open(const std::string& path) {
  // O_NONBLOCK: a fifo in a target's file system must not block the daemon.
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) {
    return fail_errno(ErrorCode::kSymbolFileUnreadable, fmt::format("cannot open binary {}", path), errno,
                      errno == EACCES ? "Give the service CAP_DAC_READ_SEARCH and, for a process's own root, "
                                        "CAP_SYS_PTRACE."
                                      : "");
  }
  return from_fd(std::move(fd), path);
}

Result<ByteSource> ByteSource::from_fd(UniqueFd fd, std::string path) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return fail_errno(ErrorCode::kSymbolFileUnreadable, fmt::format("cannot stat binary {}", path), errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kSymbolFileUnreadable, fmt::format("cannot read binary {}: not a regular file", path));
  }
  ByteSource source;
  source.fd_ = std::move(fd);
  source.size_ = static_cast<std::uint64_t>(status.st_size);
  source.device_ = status.st_dev;
  source.inode_ = status.st_ino;
  source.path_ = std::move(path);
  return source;
}

ByteSource ByteSource::from_memory(Bytes bytes, std::string name) {
  ByteSource source;
  source.size_ = bytes.size();
  source.memory_ = std::move(bytes);
  source.path_ = std::move(name);
  return source;
}

bool ByteSource::read_into(std::uint64_t offset, void* target, std::size_t size) const {
  if (offset > size_ || size > size_ - offset) {
    return false;
  }
  if (!fd_) {
    std::memcpy(target, memory_.data() + offset, size);
    return true;
  }
  auto* out = static_cast<std::byte*>(target);
  while (size > 0) {
    const ssize_t got = ::pread(fd_.get(), out, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;  // an I/O error, or the file was truncated since it was opened
    }
    out += got;
    offset += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<Bytes> ByteSource::read(std::uint64_t offset, std::uint64_t size) const {
  if (offset > size_ || size > size_ - offset) {
    return std::nullopt;  // before the allocation: a hostile header may ask for 2^64 bytes
  }
  Bytes bytes(size);
  if (size > 0 && !read_into(offset, bytes.data(), bytes.size())) {
    return std::nullopt;
  }
  return bytes;
}

std::string ByteSource::read_string(std::uint64_t offset, std::size_t limit) const {
  std::string text;
  while (offset < size_ && text.size() < limit) {
    char chunk[128];
    const std::size_t want = std::min({sizeof chunk, limit - text.size(), static_cast<std::size_t>(size_ - offset)});
    if (!read_into(offset, chunk, want)) {
      break;
    }
    if (const void* end = std::memchr(chunk, 0, want)) {
      text.append(chunk, static_cast<std::size_t>(static_cast<const char*>(end) - chunk));
      break;
    }
    text.append(chunk, want);
    offset += want;
  }
  return text;
}

}  // namespace raceguard::symbols
