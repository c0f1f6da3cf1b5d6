// SPDX-License-Identifier: Apache-2.0
#include "daemon/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace raceguard::app {
namespace {

std::string read_holder(int fd) {
  std::array<char, 32> text{};
  const ssize_t length = pread(fd, text.data(), text.size(), 0);
  std::string pid(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  while (!pid.empty() && pid.back() == '\n') {
    pid.pop_back();
  }
  return pid.empty() ? "unknown" : pid;
}

// The holder removes the file when it ends, so the name may by now lead to another file than the one that was opened.
bool is_current(int fd, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(fd, &opened) == 0 && stat(path.c_str(), &named) == 0 && opened.st_ino == named.st_ino &&
         opened.st_dev == named.st_dev;
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::filesystem::path& run_directory) {
  std::error_code failure;
  std::filesystem::create_directories(run_directory, failure);
  if (failure) {
    return fail_errno(ErrorCode::kDaemonSetup,
                      fmt::format("cannot create the run directory {}", run_directory.string()), failure.value(),
                      "Run raceguardd as root, or set daemon.run_directory to a directory it may write");
  }
  const std::filesystem::path path = run_directory / "raceguardd.lock";
  for (;;) {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    if (!fd) {
      return fail_errno(ErrorCode::kDaemonSetup, fmt::format("cannot open {}", path.string()), errno,
                        "Run raceguardd as root, or set daemon.run_directory to a directory it may write");
    }
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::kAlreadyRunning,
                  fmt::format("another raceguardd (pid {}) uses {}", read_holder(fd.get()), run_directory.string()),
                  "Stop it first, or give this one its own daemon.run_directory");
    }
    if (!is_current(fd.get(), path)) {
      continue;
    }
    const std::string pid = fmt::format("{}\n", getpid());
    if (ftruncate(fd.get(), 0) != 0 || pwrite(fd.get(), pid.data(), pid.size(), 0) < 0) {
      return fail_errno(ErrorCode::kDaemonSetup, fmt::format("cannot write {}", path.string()), errno);
    }
    return InstanceLock(std::move(fd), path);
  }
}

InstanceLock::~InstanceLock() {
  if (fd_) {
    unlink(path_.c_str());  // under the lock, so nobody else's file is removed
  }
}

}  // namespace raceguard::app
