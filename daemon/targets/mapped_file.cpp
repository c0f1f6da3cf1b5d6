// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/mapped_file.h"

#include <fmt/format.h>

#include <optional>

#include "daemon/targets/proc_file.h"

namespace raceguard::targets {
namespace {

bool names_file(const std::string& path, const FileIdentity& wanted) {
  const auto identity = identify_file(path);
  return identity && *identity == wanted;
}

struct MagicLink {
  std::string path;       // opens the mapped inode itself, whatever its name is now
  FileIdentity identity;  // as stat(2) sees it
};

// The kernel's own links to a mapped file. /proc/PID/exe needs the right to trace the process only, map_files also
// CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
std::optional<MagicLink> find_magic_link(const ProcessFolder& process, const MapsLine& line) {
  const std::string exe = process.path + "/exe";
  const auto exe_identity = identify_file(exe);
  if (exe_identity && *exe_identity == FileIdentity{.device = line.device, .inode = line.inode}) {
    return MagicLink{exe, *exe_identity};
  }
  const std::string map_file = fmt::format("{}/map_files/{:x}-{:x}", process.path, line.start, line.end);
  if (const auto identity = identify_file(map_file)) {
    return MagicLink{map_file, *identity};
  }
  const auto exe_text = read_proc_link(exe);
  if (exe_identity && exe_text && *exe_text == line.path) {
    return MagicLink{exe, *exe_identity};  // btrfs or overlayfs, and map_files not allowed
  }
  return std::nullopt;
}

}  // namespace

std::string path_in_process(const ProcessFolder& process, const std::string& printed) {
  const bool below = process.root.size() > 1 && printed.starts_with(process.root) &&
                     printed.size() > process.root.size() && printed[process.root.size()] == '/';
  return below ? printed.substr(process.root.size()) : printed;
}

MappedBinary resolve_mapped_file(const ProcessFolder& process, const MapsLine& line) {
  MappedBinary binary{.path = path_in_process(process, line.path),
                      .host_path = {},
                      .device = line.device,
                      .inode = line.inode,
                      .start = line.start,
                      .end = line.end,
                      .file_offset = line.file_offset,
                      .deleted = false};
  const auto find_by_name = [&](const FileIdentity& identity) {
    // The name as the daemon itself sees it outlives the process, so it is preferred to /proc/PID/root.
    for (const std::string& candidate : {line.path, process.path + "/root" + binary.path}) {
      if (names_file(candidate, identity)) {
        binary.host_path = candidate;
        binary.device = identity.device;
        binary.inode = identity.inode;
        return true;
      }
    }
    return false;
  };
  const FileIdentity printed{.device = line.device, .inode = line.inode};
  if (find_by_name(printed)) {
    return binary;  // also a file whose name really ends in " (deleted)"
  }
  const auto magic = find_magic_link(process, line);
  // On btrfs and overlayfs maps and stat number devices differently; then the kernel's own link decides.
  if (magic && magic->identity != printed && find_by_name(magic->identity)) {
    return binary;
  }
  binary.deleted = true;
  strip_deleted(binary.path);
  if (magic) {
    binary.host_path = magic->path;
    binary.device = magic->identity.device;
    binary.inode = magic->identity.inode;
  }
  return binary;
}

}  // namespace raceguard::targets
