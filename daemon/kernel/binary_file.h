// SPDX-License-Identifier: Apache-2.0
// A file that is about to be probed, opened and checked, so that a probe never lands in other bytes than planned.
#pragma once

#include <string>

#include "daemon/plan/probe_plan.h"
#include "raceguard/error.h"
#include "raceguard/unique_fd.h"

namespace raceguard::kernel {

class BinaryFile {
 public:
  // Fails with kTargetBinaryReplaced if the file at host_path is not the planned one (inode, build-id).
  static Result<BinaryFile> open(const std::string& host_path, const plan::BinaryId& expected);

  // Names the opened inode whatever happens to the path: /proc/self/fd/N. uprobes resolve it once, when attaching.
  [[nodiscard]] const std::string& probe_path() const { return probe_path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit BinaryFile(UniqueFd fd);
  UniqueFd fd_;
  std::string probe_path_;
};

// The GNU build-id of an ELF file as lower-case hex; empty if it has none.
[[nodiscard]] std::string read_build_id(int fd);

}  // namespace raceguard::kernel
