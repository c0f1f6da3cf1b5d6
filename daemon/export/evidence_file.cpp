// SPDX-License-Identifier: Apache-2.0
#include "daemon/export/evidence_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace raceguard::exporting {
namespace {

constexpr off_t kReadBackBytes = 65536;

std::string remedy_for(int errno_value) {
  switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
      return "Free space on its file system; records wait in memory and are written then";
    case ENOENT:
      return "Create the directory, or set daemon.evidence_file";
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
      return "Set daemon.evidence_file to a regular file, not a directory or a symbolic link";
    case EACCES:
    case EPERM:
    case EROFS:
      return "Give the service the right to write there, or set daemon.evidence_file";
    default:
      return "See docs/evidence.md";
  }
}

tl::unexpected<Error> failed(std::string what, const std::string& path, int errno_value) {
  return fail_errno(ErrorCode::kEvidenceFile, fmt::format("cannot {} evidence file {}", what, path), errno_value,
                    remedy_for(errno_value));
}

}  // namespace

Result<EvidenceFile> EvidenceFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) {
    return failed("open", path, errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::kEvidenceFile, fmt::format("evidence file {} is not a regular file", path),
                "Set daemon.evidence_file");
  }
  return EvidenceFile(std::move(fd), path, status.st_size);
}

Result<void> EvidenceFile::append(std::string_view bytes) {
  if (auto cut = cut_to_size(); !cut) {
    return cut;
  }
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) {
    return failed("write to", path_, errno);
  }
  size_ = status.st_size;  // somebody may have truncated it: taking half a line back must not fill it up with zeros
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd_.get(), bytes.data() + done, bytes.size() - done);
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      const int error = count == 0 ? EIO : errno;
      cut_due_ = done > 0;
      static_cast<void>(cut_to_size());  // if that fails too, the next append tries again before it writes
      return failed("write to", path_, error);
    }
  }
  size_ += static_cast<off_t>(bytes.size());
  return {};
}

Result<void> EvidenceFile::cut_to_size() {
  if (!cut_due_) {
    return {};
  }
  if (::ftruncate(fd_.get(), size_) != 0) {
    return failed("take half a line back from", path_, errno);
  }
  cut_due_ = false;
  return {};
}

Result<void> EvidenceFile::sync() const {
  if (::fdatasync(fd_.get()) != 0) {
    return failed("sync", path_, errno);
  }
  return {};
}

Result<std::string> EvidenceFile::take_torn_tail() {
  const Result<off_t> start = line_start(size_);
  if (!start) {
    return fail(start.error());
  }
  Result<std::string> tail = read(*start, size_);
  if (tail && !tail->empty()) {
    if (::ftruncate(fd_.get(), *start) != 0) {
      return failed("cut the torn last line off", path_, errno);
    }
    size_ = *start;
  }
  return tail;
}

Result<std::string> EvidenceFile::last_line() const {
  if (size_ == 0) {
    return std::string();
  }
  const Result<off_t> start = line_start(size_ - 1);
  return start ? read(*start, size_ - 1) : Result<std::string>(fail(start.error()));
}

Result<off_t> EvidenceFile::line_start(off_t end) const {
  for (off_t to = end; to > 0;) {
    const off_t from = std::max<off_t>(0, to - kReadBackBytes);
    const Result<std::string> part = read(from, to);
    if (!part) {
      return fail(part.error());
    }
    if (const std::size_t newline = part->rfind('\n'); newline != std::string::npos) {
      return from + static_cast<off_t>(newline) + 1;
    }
    to = from;
  }
  return 0;
}

Result<std::string> EvidenceFile::read(off_t from, off_t to) const {
  std::string bytes(static_cast<std::size_t>(to - from), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::pread(fd_.get(), bytes.data() + done, bytes.size() - done, from + static_cast<off_t>(done));
    if (count > 0) {
      done += static_cast<std::size_t>(count);
    } else if (count == 0 || errno != EINTR) {
      return failed("read", path_, count == 0 ? EIO : errno);
    }
  }
  return bytes;
}

}  // namespace raceguard::exporting
