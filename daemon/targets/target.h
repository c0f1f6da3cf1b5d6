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

// An executable mapping of a file.
struct MappedBinary {
  std::string path;         // as the process sees it
  std::string host_path;    // how the daemon opens it: /proc/PID/root/...; for a deleted file /proc/PID/map_files/...
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t start = 0;        // first mapped address
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;  // of `start`
  bool deleted = false;           // the kernel says "(deleted)", or the file at path is another inode now
};

struct Target {
  ProcessId id;
  std::string guard;  // name of the policy's entry
  std::uint32_t guard_index = 0;
  std::string comm;
  std::string exe;    // as the process sees it
  std::string root;   // "/proc/PID/root"
  std::string cgroup;
  std::string systemd_unit;
  uid_t uid = 0;
  std::vector<MappedBinary> binaries;  // the executable first
};

}  // namespace raceguard::targets
