// SPDX-License-Identifier: Apache-2.0
// Reads one process from a proc file system. A process may vanish at any moment: that is kTargetGone, never a crash and
// never facts mixed from two processes of one pid.
#pragma once

#include <string>
#include <vector>

#include "daemon/targets/process_facts.h"
#include "daemon/targets/target.h"
#include "raceguard/error.h"

namespace raceguard::targets {

class ProcessReader {
 public:
  // `proc_root` is "/proc", or a copy of one.
  explicit ProcessReader(std::string proc_root) : proc_root_(std::move(proc_root)) {}

  [[nodiscard]] const std::string& proc_root() const { return proc_root_; }

  // Every pid that the folder lists; a folder that cannot be listed is an error.
  [[nodiscard]] Result<std::vector<pid_t>> list_pids() const;

  // stat alone: one short read. Zombies and kernel threads are told, not refused.
  [[nodiscard]] Result<ProcessFacts> read_identity(pid_t pid) const;

  // All facts: identity, exe, uid, cgroup. A zombie or kernel thread has only its identity.
  [[nodiscard]] Result<ProcessFacts> read_facts(pid_t pid) const;

  // The executable mappings of files, those of the process's executable first. kTargetGone if the pid is another
  // process by now.
  [[nodiscard]] Result<std::vector<MappedBinary>> read_binaries(const ProcessId& id) const;

 private:
  [[nodiscard]] std::string folder(pid_t pid) const;

  std::string proc_root_;
};

}  // namespace raceguard::targets
