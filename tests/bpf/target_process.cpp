// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/target_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "daemon/kernel/binary_file.h"

extern char** environ;

namespace raceguard::test {
namespace {

void sync_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) {
    throw std::runtime_error("cannot sync " + path);
  }
}

}  // namespace

TargetProcess::TargetProcess(std::string binary, std::string argument) : binary_(std::move(binary)) {
  sync_file(binary_);
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  if (::pipe2(input.data(), O_CLOEXEC) != 0 || ::pipe2(output.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("pipe2 failed");
  }
  const UniqueFd child_in(input[0]);
  const UniqueFd child_out(output[1]);
  to_.reset(input[1]);
  from_.reset(output[0]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  std::array<char*, 3> arguments{binary_.data(), argument.empty() ? nullptr : argument.data(), nullptr};
  const int status = ::posix_spawn(&pid_, binary_.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0 || read_line() != "ready") {
    throw std::runtime_error("cannot start " + binary_);
  }
}

TargetProcess::~TargetProcess() { kill_and_wait(); }

void TargetProcess::kill_and_wait() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

std::string TargetProcess::read_line() {
  std::string line;
  char character = 0;
  while (::read(from_.get(), &character, 1) == 1) {
    if (character == '\n') {
      return line;
    }
    line += character;
  }
  throw std::runtime_error("the target ended");
}

void TargetProcess::start(const std::string& command) {
  const std::string line = command + "\n";
  if (::write(to_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    throw std::runtime_error("cannot command the target");
  }
}

std::int64_t TargetProcess::answer() {
  const std::string line = read_line();
  return line == "ready" ? 0 : std::stoll(line);
}

std::int64_t TargetProcess::run(const std::string& command) {
  start(command);
  return answer();
}

plan::BinaryId binary_id(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    throw std::runtime_error("cannot open " + path);
  }
  return {status.st_dev, status.st_ino, kernel::read_build_id(file.get())};
}

plan::TargetEntry target_entry(pid_t pid, std::uint32_t guard_index) {
  plan::TargetEntry entry;
  entry.id.pid = pid;
  entry.guard_index = guard_index;
  entry.contention = true;
  entry.functions = true;
  return entry;
}

plan::FunctionProbe function_probe(TargetProcess& target, const std::string& function, std::uint32_t function_id,
                                   std::uint32_t guard_index) {
  plan::FunctionProbe probe;
  probe.function_id = function_id;
  probe.guard_index = guard_index;
  probe.name = function;
  probe.symbol.name = function;
  probe.symbol.demangled = function;
  probe.symbol.file_offset = static_cast<std::uint64_t>(target.run("offset " + function));
  probe.site.file_offset = probe.symbol.file_offset;
  probe.site.cfa_offset = 8;
  probe.site.takes_return_probe = true;
  probe.binary = binary_id(target.binary());
  probe.host_path = target.binary();
  return probe;
}

plan::SwitchWord switch_word(TargetProcess& target, const std::string& switch_name) {
  plan::SwitchWord word;
  word.switch_name = switch_name;
  word.marker.name = switch_name;
  word.marker.marker_offset = static_cast<std::uint64_t>(target.run("offset marker"));
  word.marker.semaphore_offset = static_cast<std::uint64_t>(target.run("offset word"));
  word.binary = binary_id(target.binary());
  word.host_path = target.binary();
  return word;
}

}  // namespace raceguard::test
