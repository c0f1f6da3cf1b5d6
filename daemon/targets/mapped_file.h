// SPDX-License-Identifier: Apache-2.0
// Finds a path by which the daemon opens exactly the file that a process maps, not another one of the same name.
#pragma once

#include <string>

#include "daemon/targets/process_text.h"
#include "daemon/targets/target.h"

namespace raceguard::targets {

// The folder of one process in the proc file system, with what is needed to read its paths.
struct ProcessFolder {
  std::string path;  // "/proc/812"
  std::string root;  // what /proc/812/root links to, as the daemon sees it: "/" but for a chroot
};

// A path that the kernel printed for a process, as that process sees it: below its chroot. The kernel prints paths from
// the reader's root, or from the root of the file's own mount namespace.
std::string path_in_process(const ProcessFolder& process, const std::string& printed);

MappedBinary resolve_mapped_file(const ProcessFolder& process, const MapsLine& line);

}  // namespace raceguard::targets
