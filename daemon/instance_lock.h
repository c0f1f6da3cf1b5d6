// SPDX-License-Identifier: Apache-2.0
// Keeps a second raceguardd from using the same run directory: a flock on run_directory/raceguardd.lock, which the
// kernel gives back when the daemon dies, however it dies.
#pragma once

#include <filesystem>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::app {

class InstanceLock {
 public:
  // Creates the directory (0755) if it is missing. kAlreadyRunning names the pid that holds the lock.
  static Result<InstanceLock> take(const std::filesystem::path& run_directory);

  InstanceLock(InstanceLock&&) noexcept = default;
  InstanceLock& operator=(InstanceLock&&) noexcept = default;
  ~InstanceLock();

 private:
  InstanceLock(UniqueFd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}
  UniqueFd fd_;
  std::filesystem::path path_;
};

}  // namespace raceguard::app
