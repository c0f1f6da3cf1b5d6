// SPDX-License-Identifier: Apache-2.0
// Parsers of the texts of /proc/PID. Pure: they take the text and know no file. Formats: proc(5), fs/proc/array.c,
// fs/proc/task_mmu.c (show_map_vma), kernel/cgroup/cgroup.c (proc_cgroup_show).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/targets/target.h"

namespace raceguard::targets {

struct StatText {
  std::string comm;
  char state = 0;
  pid_t parent_pid = 0;
  std::uint64_t flags = 0;
  std::uint64_t cpu_ticks = 0;  // user and system time
  std::uint64_t start_ticks = 0;
};

// A comm may hold spaces, parentheses and newlines; it ends at the last ')'.
std::optional<StatText> parse_stat(std::string_view text);

// The real uid of /proc/PID/status.
std::optional<uid_t> parse_status_uid(std::string_view text);

// The process's cgroup from /proc/PID/cgroup: the v2 line; on hybrid machines, where the v2 line may stay at the root,
// systemd's own v1 hierarchy (name=systemd), then the first controller that is not at its root.
std::string parse_cgroup(std::string_view text);

// "mariadb.service" of "/system.slice/mariadb.service/sub": the innermost .service or .scope; empty: none.
std::string systemd_unit_of(std::string_view cgroup);

// One line of /proc/PID/maps that is executable and maps a file.
struct MapsLine {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::string path;  // as printed, " (deleted)" included
};
std::vector<MapsLine> parse_executable_maps(std::string_view text);

// Cuts " (deleted)" off the end; says whether it was there.
bool strip_deleted(std::string& path);

}  // namespace raceguard::targets
