// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "raceguard/unique_fd.h"

namespace raceguard::testing {

ScratchFolder::ScratchFolder() {
  std::string name = (fs::temp_directory_path() / "raceguard-test-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot make a scratch folder " + name);
  }
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

ChildProcess ChildProcess::start(const std::vector<std::string>& command, const std::function<bool()>& prepare) {
  std::vector<char*> arguments;
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));  // execv takes char* for history's sake
  }
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!prepare || prepare()) {
      ::execv(arguments[0], arguments.data());
    }
    ::_exit(127);
  }
  return ChildProcess(pid);
}

void ChildProcess::end() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
}

void ChildProcess::wait() {
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;  // the number may be another process from here on
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

bool runs(pid_t pid, const std::string& file_name) {
  return eventually([&] {
    std::error_code ignored;
    const std::string folder = fmt::format("/proc/{}", pid);
    const bool execed = fs::read_symlink(folder + "/exe", ignored).filename() == file_name;
    // A program that sleeps in a system call has its libraries.
    return execed && read_text(folder + "/syscall").starts_with(fmt::format("{} ", 230 /* clock_nanosleep */));
  });
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void copy_program(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(from, to);
  const UniqueFd fd(::open(to.c_str(), O_RDONLY | O_CLOEXEC));
  ::fsync(fd.get());
}

std::string maps_line(const fs::path& file, const std::string& printed, unsigned long start) {
  struct stat status {};
  ::stat(file.c_str(), &status);
  return fmt::format("{:x}-{:x} r-xp 00001000 {:02x}:{:02x} {} {:>20} {}\n", start, start + 0x1000,
                     major(status.st_dev), minor(status.st_dev), status.st_ino, "", printed);
}

void put_process(const fs::path& proc_root, const FakeProcess& process) {
  const fs::path folder = proc_root / std::to_string(process.pid);
  fs::remove_all(folder);
  write_text(folder / "stat", fmt::format("{} ({}) {} 1 1 1 0 -1 {} 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n", process.pid,
                                          process.comm, process.state, process.flags, process.start_ticks));
  write_text(folder / "status", fmt::format("Name:\t{0}\nUid:\t{1}\t{1}\t{1}\t{1}\n", process.comm, process.uid));
  write_text(folder / "cgroup", process.cgroup);
  fs::create_symlink("/", folder / "root");
  if (!process.exe.empty()) {
    fs::create_symlink(process.exe, folder / "exe");
    write_text(folder / "maps", process.maps.empty() ? maps_line(process.exe, process.exe.string()) : process.maps);
  }
}

}  // namespace raceguard::testing
