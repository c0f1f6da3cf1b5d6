// SPDX-License-Identifier: Apache-2.0
// The file side of the control socket: made with its rights, replaced if stale, taken away at the end.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::exporting {

class ControlListener {
 public:
  [[nodiscard]] static Result<ControlListener> bind(const std::string& path, std::optional<gid_t> group);
  ControlListener(ControlListener&&) = default;
  ControlListener& operator=(ControlListener&&) = delete;
  ~ControlListener();  // removes the file if it is still ours

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  ControlListener(UniqueFd fd, std::string path, ino_t inode)
      : fd_(std::move(fd)), path_(std::move(path)), inode_(inode) {}

  UniqueFd fd_;
  std::string path_;
  ino_t inode_;
};

}  // namespace raceguard::exporting
