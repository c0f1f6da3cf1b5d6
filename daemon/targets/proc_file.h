// SPDX-License-Identifier: Apache-2.0
// Reads of /proc that can lose their process at any moment: ENOENT and ESRCH become kTargetGone, the rest
// kTargetUnreadable.
#pragma once

#include <cstdint>
#include <string>

#include "raceguard/error.h"

namespace raceguard::targets {

Result<std::string> read_proc_text(const std::string& path);
Result<std::string> read_proc_link(const std::string& path);

struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
// Follows links, also the magic ones (/proc/PID/exe, /proc/PID/map_files/...).
Result<FileIdentity> identify_file(const std::string& path);

}  // namespace raceguard::targets
