// SPDX-License-Identifier: Apache-2.0
// A running tests/bpf/target.c.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "daemon/plan/probe_plan.h"
#include "raceguard/unique_fd.h"

namespace raceguard::test {

class TargetProcess {
 public:
  // Starts the binary (RG_BPF_TARGET unless another is given), waits until it is ready. The file is synced first:
  // probing one that is still dirty raised a kernel warning on ext4.
  explicit TargetProcess(std::string binary = RG_BPF_TARGET, std::string argument = {});
  ~TargetProcess();
  TargetProcess(const TargetProcess&) = delete;
  TargetProcess& operator=(const TargetProcess&) = delete;

  std::int64_t run(const std::string& command);  // waits for the answer
  void start(const std::string& command);        // does not wait
  std::int64_t answer();
  void kill_and_wait();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& binary() const { return binary_; }

 private:
  std::string read_line();
  std::string binary_;
  pid_t pid_ = -1;
  UniqueFd to_;
  UniqueFd from_;
};

// Plan entries for it.
plan::BinaryId binary_id(const std::string& path);
plan::TargetEntry target_entry(pid_t pid, std::uint32_t guard_index = 1);
plan::FunctionProbe function_probe(TargetProcess& target, const std::string& function, std::uint32_t function_id,
                                   std::uint32_t guard_index = 1);
plan::SwitchWord switch_word(TargetProcess& target, const std::string& switch_name);

}  // namespace raceguard::test
