// SPDX-License-Identifier: Apache-2.0
#include "daemon/suppression_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "raceguard/unique_fd.h"

namespace raceguard::app {
namespace {

Error cannot(const std::string& path) {
  return Error::from_errno(
      ErrorCode::kSuppressionFile, fmt::format("cannot add to the suppressions {}", path), errno,
      "raceguardd must be able to write it: under its systemd unit that is so below /var/lib/raceguard");
}

// Somebody may have left the last line without an end.
bool ends_in_a_line(int fd) {
  struct stat facts {};
  char last = '\n';
  return ::fstat(fd, &facts) == 0 &&
         (facts.st_size == 0 || ::pread(fd, &last, 1, facts.st_size - 1) != 1 || last == '\n');
}

}  // namespace

Result<void> append_suppression(const std::string& path, const std::string& comment, const std::string& line) {
  std::string remark = comment;  // of names that a process's symbols hold: anything
  std::replace_if(
      remark.begin(), remark.end(), [](unsigned char byte) { return byte < ' '; }, ' ');
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) {
    return fail(cannot(path));
  }
  const std::string text = fmt::format("{}# {}\n{}\n", ends_in_a_line(fd.get()) ? "" : "\n", remark, line);
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written >= 0 && static_cast<std::size_t>(written) < text.size()) {
    errno = ENOSPC;
    return fail(cannot(path));
  }
  if (written < 0 || ::fdatasync(fd.get()) != 0) {
    return fail(cannot(path));
  }
  return {};
}

}  // namespace raceguard::app
