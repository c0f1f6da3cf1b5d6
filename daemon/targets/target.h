// SPDX-License-Identifier: Apache-2.0
// A process that a policy selects.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace raceguard::targets {

// A pid alone may be reused; pid and start time name one process.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
  friend auto operator<=>(const ProcessId&, const ProcessId&) = default;
};

// An executable mapping of a file. One file may be mapped more than once.
struct MappedBinary {
  std::string path;  // as the process sees it, without " (deleted)"
  // How the daemon opens exactly the mapped file: `path` itself if that is the same file here, /proc/PID/root/... in
  // another mount namespace, /proc/PID/exe or /proc/PID/map_files/START-END if it was deleted or replaced.
  // Empty: no way was found (map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE).
  std::string host_path;
  std::uint64_t device = 0;  // st_dev and st_ino of host_path (on btrfs and overlayfs not what maps prints)
  std::uint64_t inode = 0;
  std::uint64_t start = 0;  // first mapped address
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;  // of `start`
  bool deleted = false;           // no file at `path` any more, or another inode than the mapped one
  friend bool operator==(const MappedBinary&, const MappedBinary&) = default;
};

struct Target {
  ProcessId id;
  std::string guard;  // name of the policy's entry
  std::uint32_t guard_index = 0;
  std::string comm;
  std::string exe;   // as the process sees it
  std::string root;  // "/proc/PID/root"
  std::string cgroup;
  std::string systemd_unit;
  uid_t uid = 0;
  std::vector<MappedBinary> binaries;  // the executable first
  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace raceguard::targets
