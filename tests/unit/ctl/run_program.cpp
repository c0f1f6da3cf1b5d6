// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/ctl/run_program.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/scratch.h"

namespace raceguard::ctl {

Finished raceguardctl(const std::vector<std::string>& arguments) {
  const testing::ScratchFolder scratch;
  const std::string out = scratch.path() / "out";
  const std::string err = scratch.path() / "err";
  std::string program = RG_BINARY_DIR "/bin/raceguardctl";
  std::vector<char*> argv = {program.data()};
  std::vector<std::string> copies = arguments;
  for (std::string& each : copies) {
    argv.push_back(each.data());
  }
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), STDERR_FILENO);
    ::alarm(60);
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = testing::read_text(out),
          .err = testing::read_text(err)};
}

}  // namespace raceguard::ctl
