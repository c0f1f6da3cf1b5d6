// SPDX-License-Identifier: Apache-2.0
#include "daemon/targets/process_reader.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string_view>
#include <utility>

#include "daemon/targets/mapped_file.h"
#include "daemon/targets/proc_file.h"
#include "daemon/targets/process_text.h"

namespace raceguard::targets {
namespace {

constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD, include/linux/sched.h

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

tl::unexpected<Error> gone(pid_t pid, std::string_view why) {
  return fail(ErrorCode::kTargetGone, fmt::format("process {} {}", pid, why));
}

// Mappings of the executable go first; the order of the rest, by address, stays.
void put_executable_first(std::vector<MappedBinary>& binaries, const std::string& exe_link) {
  const auto exe = identify_file(exe_link);
  if (!exe) {
    return;
  }
  std::stable_partition(binaries.begin(), binaries.end(), [&](const MappedBinary& binary) {
    return FileIdentity{.device = binary.device, .inode = binary.inode} == *exe;
  });
}

}  // namespace

std::string ProcessReader::folder(pid_t pid) const { return fmt::format("{}/{}", proc_root_, pid); }

Result<std::vector<pid_t>> ProcessReader::list_pids() const {
  const std::unique_ptr<DIR, CloseFolder> listing(::opendir(proc_root_.c_str()));
  if (!listing) {
    return fail_errno(ErrorCode::kTargetUnreadable, "cannot list processes in " + proc_root_, errno);
  }
  std::vector<pid_t> pids;
  while (const dirent* entry = ::readdir(listing.get())) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name(entry->d_name);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size() && pid > 0) {
      pids.push_back(pid);
    }
  }
  return pids;
}

Result<ProcessFacts> ProcessReader::read_identity(pid_t pid) const {
  const std::string path = folder(pid) + "/stat";
  const auto text = read_proc_text(path);
  if (!text) {
    return fail(text.error());
  }
  if (text->empty()) {
    return gone(pid, "vanished while its stat was read");
  }
  auto stat = parse_stat(*text);
  if (!stat) {
    return fail(ErrorCode::kTargetUnreadable, fmt::format("cannot parse {}: \"{}\"", path, *text));
  }
  ProcessFacts facts;
  facts.id = {.pid = pid, .start_ticks = stat->start_ticks};
  facts.parent_pid = stat->parent_pid;
  facts.comm = std::move(stat->comm);
  facts.kernel_thread = (stat->flags & kKernelThreadFlag) != 0;
  facts.zombie = stat->state == 'Z' || stat->state == 'X';
  return facts;
}

Result<ProcessFacts> ProcessReader::read_facts(pid_t pid) const {
  auto facts = read_identity(pid);
  if (!facts || facts->kernel_thread || facts->zombie) {
    return facts;
  }
  ProcessFolder process{.path = folder(pid), .root = {}};
  auto exe = read_proc_link(process.path + "/exe");
  auto root = read_proc_link(process.path + "/root");
  const auto status = read_proc_text(process.path + "/status");
  const auto cgroup = read_proc_text(process.path + "/cgroup");
  for (const Result<std::string>* text : {&std::as_const(exe), &std::as_const(root), &status, &cgroup}) {
    if (!*text) {
      return fail(text->error());
    }
  }
  process.root = std::move(*root);
  facts->exe = path_in_process(process, *exe);
  facts->exe_deleted = strip_deleted(facts->exe);
  const auto uid = parse_status_uid(*status);
  if (!uid) {
    return gone(pid, "vanished while its status was read");
  }
  facts->uid = *uid;
  facts->cgroup = parse_cgroup(*cgroup);
  facts->systemd_unit = systemd_unit_of(facts->cgroup);

  const auto again = read_identity(pid);
  if (!again || again->id != facts->id || again->zombie) {
    return gone(pid, "ended while it was read");
  }
  return facts;
}

Result<std::vector<MappedBinary>> ProcessReader::read_binaries(const ProcessId& id) const {
  ProcessFolder process{.path = folder(id.pid), .root = {}};
  const auto maps = read_proc_text(process.path + "/maps");
  if (!maps) {
    return fail(maps.error());
  }
  auto root = read_proc_link(process.path + "/root");
  if (!root) {
    return fail(root.error());
  }
  process.root = std::move(*root);
  std::vector<MappedBinary> binaries;
  for (const MapsLine& line : parse_executable_maps(*maps)) {
    binaries.push_back(resolve_mapped_file(process, line));
  }
  put_executable_first(binaries, process.path + "/exe");
  const auto again = read_identity(id.pid);
  if (!again || again->id != id || again->zombie) {
    return gone(id.pid, "ended while its mappings were read");
  }
  return binaries;
}

}  // namespace raceguard::targets
