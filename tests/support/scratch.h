// SPDX-License-Identifier: Apache-2.0
// What the tests of targets and plan need from the system, each with an owner: a scratch folder, a child process, a
// fake proc file system.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace raceguard::testing {

namespace fs = std::filesystem;

// Removed with all it holds at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// A child of the test, killed and reaped at the end. `prepare` runs in the child before the exec; a false ends it.
class ChildProcess {
 public:
  static ChildProcess start(const std::vector<std::string>& command, const std::function<bool()>& prepare = {});
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess() { end(); }
  void end();   // kills and reaps
  void wait();  // reaps when it ends by itself
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_;
};

// Asks until the condition holds; false if it does not within 10 s.
bool eventually(const std::function<bool()>& condition);

// Waits until the child runs the program of this file name (of /proc/PID/exe) and is through with ld.so.
bool runs(pid_t pid, const std::string& file_name);

void write_text(const fs::path& path, const std::string& text);
std::string read_text(const fs::path& path);
// A copy with an inode of its own, synced: a uprobe on a file with dirty pages raised a kernel warning on ext4.
void copy_program(const fs::path& from, const fs::path& to);

// One process of a fake proc file system.
struct FakeProcess {
  pid_t pid = 100;
  std::string comm = "app";
  char state = 'S';
  unsigned long flags = 0;
  unsigned long start_ticks = 1000;
  fs::path exe;  // empty: no link, as with a kernel thread
  uid_t uid = 1000;
  std::string cgroup = "0::/system.slice/app.service\n";
  std::string maps;  // empty: the exe, mapped once
};
void put_process(const fs::path& proc_root, const FakeProcess& process);
std::string maps_line(const fs::path& file, const std::string& printed, unsigned long start = 0x400000);

}  // namespace raceguard::testing
