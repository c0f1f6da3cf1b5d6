// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/proc_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "raceguard/unique_fd.h"

namespace raceguard::targets {
namespace {

tl::unexpected<Error> proc_error(const std::string& path, int errno_value) {
  if (errno_value == ENOENT || errno_value == ESRCH) {
    return fail_errno(ErrorCode::kTargetGone, "cannot read " + path, errno_value);
  }
  return fail_errno(ErrorCode::kTargetUnreadable, "cannot read " + path, errno_value,
                    "Run the daemon as root or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
}

}  // namespace

Result<std::string> read_proc_text(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return proc_error(path, errno);
  }
  std::string text;
  std::array<char, 16384> chunk{};
  for (;;) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return proc_error(path, errno);
    }
    if (count == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Result<std::string> read_proc_link(const std::string& path) {
  std::array<char, PATH_MAX + 1> buffer{};
  const ssize_t count = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (count < 0) {
    return proc_error(path, errno);
  }
  return std::string(buffer.data(), static_cast<std::size_t>(count));
}

Result<FileIdentity> identify_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return proc_error(path, errno);
  }
  return FileIdentity{.device = status.st_dev, .inode = status.st_ino};
}

}  // namespace raceguard::targets
